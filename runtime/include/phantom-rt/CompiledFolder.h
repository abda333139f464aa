//===- CompiledFolder.h - Programs that were compiled earlier ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder with a program that is ready to run on this kind of machine:
//   program.json  the step program
//   kernels.o     the code of its kernels
//   model.mlir    the model as it was read, for tools that export it; not read here
//   plan.json     what they were made from and for, and their hashes
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_COMPILEDFOLDER_H
#define PHANTOM_RT_COMPILEDFOLDER_H

#include "phantom-rt/GemmChoices.h"
#include "phantom-rt/Kernels.h"

#include <map>

namespace phantom::rt {

/// What a program was compiled from, and with which options.
struct Plan {
  std::string model;                          ///< the absolute path of its file
  std::map<std::string, std::string> options; ///< values by the names of phantom-run's flags
  std::string modelText = {}; ///< of model.mlir; its sources are relative to the folder of `model`
  GemmChoices gemms = {};     ///< made when the model was compiled

  bool operator==(const Plan &) const = default;
};

/// Whether two values of a flag are the same text, or the same number.
bool isSameFlagValue(llvm::StringRef a, llvm::StringRef b);

struct LoadedProgram {
  CompiledProgram compiled;
  Plan plan;
};

/// Checks that `folder` may be written: nothing is there, or an empty folder, or a compiled program.
llvm::Error checkMayReplace(llvm::StringRef folder);

/// Writes the folder whole or not at all, in the place of an older compiled program or an empty folder;
/// anything else there is an error. Weights stay where they are: sources become absolute paths, and those of
/// raw bytes get a checksum, for which they are read.
llvm::Error writeCompiledFolder(llvm::StringRef folder, const CompiledProgram &compiled, const Plan &plan);

/// Reads the folder and links its kernels. Files that are damaged, of another version of this project or for
/// another CPU are an error.
llvm::Expected<LoadedProgram> loadCompiledFolder(llvm::StringRef folder);

} // namespace phantom::rt

#endif // PHANTOM_RT_COMPILEDFOLDER_H
