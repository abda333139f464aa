//===- Processes.h - Runs whose ranks are processes -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_PROCESSES_H
#define PHANTOM_RUN_PROCESSES_H

#include "Options.h"

namespace phantom::run {

/// Calls `work`, which makes a session and ends it, for a run of `program`. Where the ranks are processes, it
/// joins them before, all end together, and the failure of one is that of all.
llvm::Expected<int> onProcesses(RunOptions &options, const rt::Program &program,
                                llvm::function_ref<llvm::Expected<int>()> work);

} // namespace phantom::run

#endif // PHANTOM_RUN_PROCESSES_H
