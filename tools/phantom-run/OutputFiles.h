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

/// Checks that no two of the files that a run shall write are one, and that none is a file that it reads. A
/// model or its parameters may be saved where they came from.
llvm::Error checkOutputNames(const RunOptions &options);

/// Checks before a run that its files can be written. With ranks in several processes this is for when they
/// have met, so that all hear of an error.
llvm::Error checkOutputsCanBeWritten(const RunOptions &options);

} // namespace phantom::run

#endif // PHANTOM_RUN_OUTPUTFILES_H
