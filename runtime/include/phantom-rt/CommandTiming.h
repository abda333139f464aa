//===- CommandTiming.h - When a command ran ---------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_COMMANDTIMING_H
#define PHANTOM_RT_COMMANDTIMING_H

#include <chrono>
#include <cstdint>

namespace phantom::rt {

/// When one command ran on one rank.
struct CommandTiming {
  uint32_t command = 0;
  std::chrono::steady_clock::time_point begin, end;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_COMMANDTIMING_H
