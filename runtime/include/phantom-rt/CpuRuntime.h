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
#include "phantom-rt/ParameterStore.h"
#include "phantom-rt/RankExecutor.h"
#include "phantom-rt/RankTeam.h"

#include <memory>

namespace phantom::rt {

struct CpuRuntimeOptions {
  uint64_t seed = 0;
  std::string parameterFile; ///< not empty: overwrite the parameters from it
  GemmChoices gemms;
  RankTeamOptions team;
};

class FunctionInstance;

/// The ranks' threads, windows, constants and initialised parameters.
class CpuRuntime {
public:
  /// `executable` outlives the runtime.
  static llvm::Expected<std::unique_ptr<CpuRuntime>> create(const Executable &executable,
                                                            const CpuRuntimeOptions &options);

  const Program &program() const { return executable.program; }
  RankTeam &team() { return ranks; }
  ParameterStore &parameters() { return store; }
  /// Equal where all GEMMs of the program are computed alike.
  uint64_t gemmChoicesHash() const { return hashOfChoices(program(), gemms, threadsPerRank); }
  const ParameterStore &parameters() const { return store; }

  /// Binds a function on all ranks. The instance must not outlive the runtime.
  llvm::Expected<std::unique_ptr<FunctionInstance>> bind(const Function &function);

private:
  friend class FunctionInstance;
  CpuRuntime(const Executable &executable, const CpuRuntimeOptions &options);
  llvm::Error load(const CpuRuntimeOptions &options);

  const Executable &executable;
  ParameterStore store;
  std::vector<AlignedBuffer> windows, constants;
  const GemmChoices gemms;
  const int64_t threadsPerRank;
  RankTeam ranks;
};

/// A function bound on all ranks, with its shared arguments and the ranks'
/// arenas. Shared arguments may be written between two barriers only.
class FunctionInstance {
public:
  const Function &function() const { return bound; }

  /// Memory of argument `index`: shared by all ranks (not Parameter, Rank).
  std::byte *argument(size_t index) { return shared[index].data(); }

  /// Each sets the scalars of its role, if the function has any.
  void setLearningRate(double value);
  void setStep(int64_t value);
  void setValidCount(int64_t value);
  bool hasRole(Role role) const;

  /// Runs the function on rank `rank`, on that rank's thread; then calls
  /// `beforeBarrier` and waits for the other ranks. The barrier keeps a fast
  /// rank from writing to a window (or a shared argument) in its next run
  /// while a slow one still reads it in this run, so that one buffer per
  /// exchange is enough; and it orders what `beforeBarrier` wrote before
  /// anything that happens after the run.
  llvm::Error run(int64_t rank, llvm::function_ref<void()> beforeBarrier = nullptr);

  /// The first result with that role (and name, if not empty); null if there
  /// is none. `address` is where rank `rank` has it.
  const Result *result(Role role, llvm::StringRef name = "") const;
  const std::byte *address(int64_t rank, const Result &result) const;
  /// A scalar float result.
  double scalar(int64_t rank, const Result &result) const;

  void setTimings(int64_t rank, std::vector<CommandTiming> *timings) { executors[rank]->timings = timings; }

private:
  friend class CpuRuntime;
  FunctionInstance(CpuRuntime &runtime, const Function &function) : runtime(runtime), bound(function) {}
  llvm::Error bindRank(int64_t rank);

  CpuRuntime &runtime;
  const Function &bound;
  std::vector<AlignedBuffer> shared; ///< by argument
  std::vector<AlignedBuffer> arenas; ///< by rank
  std::vector<AlignedBuffer> rankScalars;
  std::vector<std::unique_ptr<RankExecutor>> executors;
  std::vector<std::optional<uint64_t>> preparedFor; ///< by rank: the store's changes
};

} // namespace phantom::rt

#endif // PHANTOM_RT_CPURUNTIME_H
