//===- CpuRuntime.h - A program loaded on this process's CPUs ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_CPURUNTIME_H
#define PHANTOM_RT_CPURUNTIME_H

#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/RankExecutor.h"
#include "phantom-rt/Runtime.h"

#include <memory>

namespace phantom::rt {

struct CpuRuntimeOptions {
  uint64_t seed = 0;
  std::string parameterFile; ///< not empty: overwrite the parameters from it
  GemmChoices gemms;
  RankTeamOptions team;
};

/// The ranks' threads, windows, constants and initialised parameters.
class CpuRuntime : public Runtime {
public:
  /// `executable` outlives the runtime.
  static llvm::Expected<std::unique_ptr<CpuRuntime>> create(const Executable &executable,
                                                            const CpuRuntimeOptions &options);

  uint64_t gemmChoicesHash() const override { return hashOfChoices(program(), gemms, threadsPerRank); }
  llvm::Expected<std::unique_ptr<FunctionInstance>> bind(const Function &function) override;

private:
  friend class CpuFunctionInstance;
  CpuRuntime(const Executable &executable, const CpuRuntimeOptions &options);
  llvm::Error load(const CpuRuntimeOptions &options);

  const Executable &executable;
  std::vector<AlignedBuffer> windows, constants;
  const GemmChoices gemms;
  const int64_t threadsPerRank;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_CPURUNTIME_H
