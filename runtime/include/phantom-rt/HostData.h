//===- HostData.h - Inputs and outputs in the caller's memory ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_HOSTDATA_H
#define PHANTOM_RT_HOSTDATA_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace phantom::rt {

/// Dense elements of the type that the program has for the input; `name` may be empty where there is only
/// one.
struct HostInput {
  std::string name;
  llvm::ArrayRef<std::byte> bytes;
};

/// Where an output goes; as HostInput.
struct HostOutput {
  std::string name;
  llvm::MutableArrayRef<std::byte> bytes;
};

/// Rows of data in the caller's memory.
struct HostData {
  std::vector<HostInput> inputs;
  llvm::ArrayRef<std::byte> targets; ///< only where a function takes them
  int64_t rows = 0;
};

/// An array of HostData, the argument of the function that takes it, and what messages call it.
struct MatchedArray {
  size_t argument = 0;
  llvm::ArrayRef<std::byte> bytes;
  std::string label;
};

/// The arrays of the function's inputs and targets; sizes are for the caller to check. An input without data,
/// or data without an input, is an error.
llvm::Expected<std::vector<MatchedArray>> matchHostData(const HostData &data, const Function &function);

} // namespace phantom::rt

#endif // PHANTOM_RT_HOSTDATA_H
