//===- Memory.cpp - What a training run should need, and needed -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Memory.h"

#include "phantom-rt/GemmChoices.h"

#include <algorithm>
#include <sys/resource.h>

namespace phantom::rt {

/// The scratch memory that the GEMMs of a function share on each rank of a CPU.
static int64_t scratchBytes(const Function &function) {
  int64_t bytes = 0;
  for (const Command &command : function.commands)
    if (const auto *gemm = std::get_if<GemmCommand>(&command))
      bytes = std::max(bytes, widenedBytes(*gemm));
  return bytes;
}

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
    if (program.device == DeviceKind::Cpu)
      need.activations += program.ranks * scratchBytes(*function);
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
