//===- CommandLabel.h - What people call a command --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_COMMANDLABEL_H
#define PHANTOM_RT_LIB_TRAIN_COMMANDLABEL_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"

namespace phantom::rt {

/// What a command does, its place in the model (which may be empty), and its kind.
struct CommandLabel {
  std::string name, location;
  llvm::StringRef category;
};

CommandLabel labelOf(const Program &program, const Command &command);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_COMMANDLABEL_H
