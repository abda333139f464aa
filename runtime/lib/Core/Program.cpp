//===- Program.cpp - Queries on step programs -----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Program.h"

#include "phantom-rt/HostTensor.h"

namespace phantom::rt {

int64_t byteWidth(ElementType type) { return byteWidth(storageType(type)); }

int64_t TensorType::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

const Function *Program::function(const std::string &name) const {
  for (const Function &candidate : functions)
    if (candidate.name == name)
      return &candidate;
  return nullptr;
}

std::vector<std::pair<const Function *, int64_t>> Program::stepFunctions() const {
  if (const Function *step = function("train_step"))
    return {{step, 1}};
  const Function *accumulate = function("accumulate"), *update = function("update");
  if (accumulate && update)
    return {{accumulate, accumulation}, {update, 1}};
  return {};
}

} // namespace phantom::rt
