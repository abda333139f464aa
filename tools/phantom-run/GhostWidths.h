//===- GhostWidths.h - The ghost widths of single layers --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_GHOSTWIDTHS_H
#define PHANTOM_RUN_GHOSTWIDTHS_H

#include "Options.h"

namespace phantom::run {

/// --ghost-width auto: sets CompileOptions::ghostWidths from the budget, or from the file of --init, and
/// prints them. Does nothing without `auto`.
llvm::Error resolveGhostWidths(RunOptions &options);

} // namespace phantom::run

#endif // PHANTOM_RUN_GHOSTWIDTHS_H
