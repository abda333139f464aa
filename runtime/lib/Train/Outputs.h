//===- Outputs.h - The outputs of inference ---------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_OUTPUTS_H
#define PHANTOM_RT_LIB_TRAIN_OUTPUTS_H

#include "phantom-rt/DataSet.h"

namespace phantom::rt {

/// A place for an output: the output's name, which may be empty where there is only one, and what messages
/// call the place.
struct GivenOutput {
  std::string name;
  std::string label;
};

/// The result of each place. A name that the function does not have, or twice the same, is an error.
llvm::Expected<std::vector<const Result *>> matchOutputs(llvm::ArrayRef<GivenOutput> given,
                                                         const Function &function);

/// Whether the first dimension of every input and output counts the rows of the batch.
bool hasBatch(const Program &program, const Function &function);

/// Runs the function on all rows of the data, and copies each result's rows to its destination.
llvm::Error copyRows(Runtime &runtime, FunctionInstance &function, const DataSet &data,
                     llvm::ArrayRef<const Result *> results, llvm::ArrayRef<std::byte *> destinations);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_OUTPUTS_H
