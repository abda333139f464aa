//===- Runtime.h - A program loaded on a device -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_RUNTIME_H
#define PHANTOM_RT_RUNTIME_H

#include "phantom-rt/CommandTiming.h"
#include "phantom-rt/Energy.h"
#include "phantom-rt/GemmWorkspace.h"
#include "phantom-rt/ParameterStore.h"
#include "phantom-rt/RankTeam.h"

#include <memory>

namespace phantom::rt {

class FunctionInstance;

/// The ranks that are here, and the program's parameters, on some device.
class Runtime {
public:
  virtual ~Runtime();

  const Program &program() const { return loaded; }
  RankTeam &team() { return ranks; }

  /// The host's copy of the parameters. `fetchParameters` goes before reading or changing values.
  ParameterStore &parameters() { return store; }
  const ParameterStore &parameters() const { return store; }

  /// Makes the host's copy current, where a device trains in a memory of its own, and where ranks are in
  /// other processes: rank 0's process then has those of all ranks. Changes that are made to the copy
  /// afterwards reach the device before its next run.
  virtual llvm::Error fetchParameters() { return gatherParameters(); }

  /// Equal where all GEMMs of the program are computed alike.
  virtual uint64_t gemmChoicesHash() const = 0;

  /// Whether CommCounters has the time of exchanges.
  virtual bool timesExchanges() const { return true; }

  /// The counter of all ranks' devices together; null where they have none of their own. The runtime
  /// outlives it.
  virtual std::unique_ptr<EnergySource> deviceEnergy() const { return nullptr; }

  /// Binds a function on all ranks. The instance must not outlive the runtime.
  virtual llvm::Expected<std::unique_ptr<FunctionInstance>> bind(const Function &function) = 0;

protected:
  /// `program` outlives the runtime.
  Runtime(const Program &program, const RankTeamOptions &team);

  /// Gives the parameters of all ranks their first values: those of the file, if `file` is not empty.
  llvm::Error initializeParameters(uint64_t seed, llvm::StringRef file);

  /// Gives rank 0's process the parameters of all ranks.
  llvm::Error gatherParameters();

  const Program &loaded;
  ParameterStore store;
  RankTeam ranks;
};

/// Whose arguments: those of the run to come, or of the one after the next FunctionInstance::advance.
enum class ForRun : uint8_t { This, Next };

/// A function bound on all ranks, with its shared arguments. They may be written between two barriers only.
class FunctionInstance {
public:
  virtual ~FunctionInstance();

  const Function &function() const { return bound; }

  /// Host memory of argument `index`: shared by all ranks that are here (not Parameter, Rank; of the next run
  /// only inputs and targets).
  std::byte *argument(size_t index, ForRun run = ForRun::This) {
    return run == ForRun::Next ? next[index] : shared[index];
  }

  /// Gives the function a second copy of its arguments, so that the host can write the inputs of the next run
  /// while a GPU runs this one. False where that is of no use: on CPUs, whose ranks do the work themselves.
  virtual llvm::Expected<bool> keepNextArguments() { return false; }
  /// Makes the next run's inputs and targets those of the run to come, whose scalars stay as they are. One
  /// thread calls it, between two barriers.
  virtual void advance() {}

  /// Lets the runs of rank `rank` read argument `index` from `memory`, which stays as it is during a run, has
  /// the argument's type and is aligned for it; null: from `argument(index)` again. False where they cannot,
  /// so that what they read is to be copied. The rank's thread calls it, between two barriers.
  virtual bool lend(int64_t rank, size_t index, const std::byte *memory) { return false; }

  /// Each sets the scalars of its role, if the function has any.
  void setLearningRate(double value);
  void setStep(int64_t value);
  void setValidCount(int64_t value);
  /// The key of dropout, of the run's seed.
  void setSeed(uint64_t seed);
  bool hasRole(Role role) const;

  /// Runs the function on rank `rank`, on that rank's thread; then calls
  /// `beforeBarrier` and waits for the other ranks. The barrier keeps a fast
  /// rank from writing to a window (or a shared argument) in its next run
  /// while a slow one still reads it in this run, so that one buffer per
  /// exchange is enough; and it orders what `beforeBarrier` wrote before
  /// anything that happens after the run. A GPU's rank calls `whileRunning`
  /// as soon as its work is queued.
  virtual llvm::Error run(int64_t rank, llvm::function_ref<void()> beforeBarrier = nullptr,
                          llvm::function_ref<void()> whileRunning = nullptr) = 0;

  /// The first result with that role (and name, if not empty); null if there is none.
  const Result *result(Role role, llvm::StringRef name = "") const;
  /// Where the host can read rank `rank`'s result, after a run and until the next one.
  virtual const std::byte *address(int64_t rank, const Result &result) const = 0;
  /// A scalar float result.
  double scalar(int64_t rank, const Result &result) const;

  /// Memory of each rank's GEMMs, where the host allocates it.
  virtual GemmWorkspace gemmWorkspace() const { return {}; }

  /// Where runs of rank `rank` append when each command ran; null: they do not measure it.
  virtual void setTimings(int64_t rank, std::vector<CommandTiming> *timings) = 0;

protected:
  explicit FunctionInstance(const Function &function) : bound(function) {}

  const Function &bound;
  std::vector<std::byte *> shared; ///< by argument; null for Parameter and Rank
  std::vector<std::byte *> next;   ///< likewise, of the next run; empty where it has none

private:
  void setIntegers(Role role, int64_t value);
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RUNTIME_H
