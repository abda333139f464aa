//===- StopSignals.h - A clean stop on SIGINT and SIGTERM ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_STOPSIGNALS_H
#define PHANTOM_RT_LIB_TRAIN_STOPSIGNALS_H

#include <csignal>

namespace phantom::rt {

/// While it lives, the first SIGINT or SIGTERM is only noted; the second one
/// does what it did before.
class StopSignals {
public:
  StopSignals();
  ~StopSignals();
  static bool requested();

private:
  struct sigaction oldInterrupt, oldTerminate;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_STOPSIGNALS_H
