//===- Checkpoint.h - The state of a training run, in files -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder with a folder for each checkpoint, step-000000100 for that after 100 steps:
//   rank-0.safetensors …  each rank's parameters and optimizer state; what all ranks hold is in the first
//   manifest.json         the run: mesh, strategy, options, step, data cursor, energy, and the files' hashes
// A checkpoint appears whole or not at all.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_CHECKPOINT_H
#define PHANTOM_RT_CHECKPOINT_H

#include "phantom-rt/ParameterStore.h"

#include <map>
#include <optional>

namespace phantom::rt {

struct CheckpointOptions {
  std::string folder; ///< empty: no checkpoints
  int64_t every = 0;  ///< steps; 0: only at the end, and where a signal stops the run
  int64_t keep = 3;   ///< the newest ones; older ones are removed
  bool resume = false;
  /// What the run must have in common with the one that it goes on with: values by the names of flags.
  std::map<std::string, std::string> flags;
};

/// What a run carries over, apart from the parameters.
struct TrainState {
  int64_t step = 0; ///< done
  int64_t rows = 0; ///< of the data; with the step and the seed, the cursor in it
  double firstLoss = 0, finalLoss = 0;
  double seconds = 0;                 ///< of all steps
  std::string gemmChoicesHash;        ///< see hashOfChoices
  std::optional<double> energyJoules; ///< counted so far
  double modelEnergyJoules = 0;
  int64_t commBytes = 0;                  ///< counted so far
  std::optional<double> evalLoss;         ///< on the held-out data, where it was evaluated after this step
  int64_t evaluations = 0;                ///< so far
  double evalSeconds = 0;                 ///< of these
  std::optional<double> evalEnergyJoules; ///< counted, of these

  bool operator==(const TrainState &) const = default;
};

/// Writes the checkpoint of `state.step`, in the place of an older one of that step, and removes all but the
/// newest `options.keep`.
llvm::Error writeCheckpoint(const CheckpointOptions &options, const Program &program,
                            const ParameterStore &parameters, const TrainState &state);

/// Reads the newest checkpoint into `parameters`. One that is damaged, or of a run with another program or
/// other flags, is an error, and nothing is changed. Nothing where there is no checkpoint.
llvm::Expected<std::optional<TrainState>>
readNewestCheckpoint(const CheckpointOptions &options, const Program &program, ParameterStore &parameters);

/// Before the first step, so that a run does not find at its end that its state cannot be saved.
llvm::Error makeCheckpointFolder(llvm::StringRef folder);

/// An error where `folder` has checkpoints, for a run that does not go on from them.
llvm::Error checkNoCheckpoints(llvm::StringRef folder);

} // namespace phantom::rt

#endif // PHANTOM_RT_CHECKPOINT_H
