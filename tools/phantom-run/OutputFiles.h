//===- OutputFiles.h - The files that a run writes --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_OUTPUTFILES_H
#define PHANTOM_RUN_OUTPUTFILES_H

#include "Options.h"

namespace phantom::run {

/// Checks before a run that what it shall write can be written, that no two of these files are one, and that
/// none is a file that it reads. A model or its parameters may be saved where they came from.
llvm::Error checkOutputFiles(const RunOptions &options);

} // namespace phantom::run

#endif // PHANTOM_RUN_OUTPUTFILES_H
