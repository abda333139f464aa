//===- Memory.cpp - What a training run should need, and needed -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Memory.h"

#include <sys/resource.h>

namespace phantom::rt {

MemoryNeed memoryNeedOfTraining(const Program &program) {
  MemoryNeed need;
  for (const Parameter &parameter : program.parameters)
    (parameter.stateOf.empty() ? need.parameters : need.optimizer) += program.ranks * parameter.type.bytes();
  for (const Window &window : program.windows)
    need.windows += window.bytes;
  for (const std::vector<uint8_t> &constant : program.constants)
    need.constants += int64_t(constant.size());
  for (auto [function, runs] : program.stepFunctions()) {
    need.activations += program.ranks * function->arenaBytes;
    for (const Argument &argument : function->arguments)
      if (argument.role == Role::Input || argument.role == Role::Target)
        need.batch += argument.type.bytes();
  }
  return need;
}

int64_t peakResidentBytes() {
  struct rusage usage;
  if (::getrusage(RUSAGE_SELF, &usage) != 0)
    return 0;
  return int64_t(usage.ru_maxrss) * 1024; // Linux counts in KiB
}

} // namespace phantom::rt
