//===- ReadFlags.h - From flags to options ----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_READFLAGS_H
#define PHANTOM_RUN_READFLAGS_H

#include "Flags.h"
#include "Options.h"

/// Each reads some flags into the options, checks them, and says which flag is wrong, and why.
namespace phantom::run {

/// What the model is, and how layers are divided.
llvm::Error readPartition(RunOptions &options);

/// The device and its communicator; before all else, since other flags depend on it.
llvm::Error readDevice(RunOptions &options);

/// Behind readPartition, which says how many ranks there are.
llvm::Error readSimFaults(RunOptions &options);

/// Which of several processes this one is.
llvm::Error readProcesses(RunOptions &options);

/// Kernels, precision, and passes to leave out.
llvm::Error readExecution(RunOptions &options);

llvm::Error readLoss(RunOptions &options);
llvm::Error readOptimizer(RunOptions &options);

/// All that `train` needs.
llvm::Error readTraining(RunOptions &options);

/// "x.npy" or "name=x.npy,other=y.npy".
std::vector<rt::NamedFile> namedFiles(llvm::StringRef text);

/// Of --input-scale.
llvm::Error readScales(rt::DataFiles &files);

/// Inputs and targets, and --input-scale.
llvm::Error readData(const flags::Text &inputFlag, const flags::Text &targetFlag, rt::DataFiles &files);

llvm::Error readCalibration(RunOptions &options);

/// Of the file that `flag` names.
llvm::Error readSave(RunOptions &options, const flags::Text &flag);

} // namespace phantom::run

#endif // PHANTOM_RUN_READFLAGS_H
