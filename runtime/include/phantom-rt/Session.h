//===- Session.h - Train, evaluate and infer with a step program ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_SESSION_H
#define PHANTOM_RT_SESSION_H

#include "phantom-rt/Checkpoint.h"
#include "phantom-rt/DataSet.h"
#include "phantom-rt/Energy.h"
#include "phantom-rt/GemmChoices.h"
#include "phantom-rt/HostData.h"
#include "phantom-rt/Memory.h"
#include "phantom-rt/Schedule.h"

#include <memory>
#include <optional>

namespace phantom::rt {

class TrainStep;

struct SessionOptions {
  uint64_t seed = 0;
  std::string parameterFile;   ///< --init from-file=F; empty: the init recipes
  double timeoutSeconds = 120; ///< deadline of every wait for another rank
  bool bindThreads = true;
  int64_t threadsPerRank = 1;      ///< of the library's GEMMs
  GemmChoices gemms;               ///< which library computes them
  FaultInjector *faults = nullptr; ///< tests only
  /// Not null: the processes that have a rank each. Outlives the session, whose methods all of them call
  /// alike.
  ProcessGroup *processes = nullptr;
};

/// Those of the session's ranks.
RankTeamOptions teamOptions(const SessionOptions &options);

struct TrainOptions {
  DataFiles data;
  int64_t steps = 0;  ///< one of steps and epochs is positive
  int64_t epochs = 0; ///< passes over the data; its last partial batch is dropped
  double learningRate = 0.01;
  ScheduleKind schedule = ScheduleKind::Constant;
  double warmupFraction = 0;
  double decayFraction = 0.2;
  std::optional<double> targetLoss;     ///< stop after the first step whose batch loss is not above it
  DataFiles heldOut;                    ///< what `evalEvery` evaluates
  int64_t evalEvery = 0;                ///< steps between evaluations; 0: none while training
  std::optional<double> targetEvalLoss; ///< stop after the first of these whose loss is not above it
  bool shuffle = true;                  ///< a new order per epoch, from the session's seed
  std::string logFile;
  std::string traceFile; ///< Chrome trace of the first `traceSteps` steps
  int64_t traceSteps = 10;
  std::string machineFile; ///< empty: MachineModel::generic()
  EnergyOptions energy;
  bool progress = true;
  /// Shows what SIGUSR1 asks for, on a thread of its own; null: on standard error.
  std::function<void(llvm::StringRef)> showState;
  CheckpointOptions checkpoints;
};

enum class StopReason : uint8_t { Completed, TargetLoss, TargetEvalLoss, Interrupted };

struct EvaluationReport {
  int64_t rows = 0;
  double loss = 0;                ///< mean over all rows
  std::optional<double> accuracy; ///< of cross-entropy models that return their output
};

/// What a run took until its held-out loss was not above the target; evaluations not included.
struct TargetReport {
  int64_t steps = 0;
  double seconds = 0;
  int64_t commBytes = 0;              ///< counted, of the rank with the most
  std::optional<double> energyJoules; ///< counted
  double modelEnergyJoules = 0;
};

struct TrainReport {
  int64_t steps = 0;        ///< done, those before a checkpoint that the run went on from included
  int64_t resumedSteps = 0; ///< of these, before that checkpoint
  double firstLoss = 0, finalLoss = 0;
  StopReason stopReason = StopReason::Completed;
  double seconds = 0;           ///< of all steps
  double medianStepSeconds = 0; ///< without the first step
  int64_t commBytesPerStep = 0; ///< counted, per rank
  double modelCommBytesPerStep = 0;
  int64_t commBytes = 0;                      ///< counted, of all steps
  std::string energySource;                   ///< see EnergySource::name
  std::optional<double> energyJoules;         ///< counted, of all steps and ranks together
  std::string energyReason;                   ///< why there is no `energyJoules`
  int64_t evaluations = 0;                    ///< while training
  double evalSeconds = 0;                     ///< of these
  std::optional<double> evalEnergyJoules;     ///< counted, of these
  std::string evalEnergyReason;               ///< why there is no `evalEnergyJoules`
  double modelEnergyJoulesPerStep = 0;        ///< modelled, of all ranks together
  double modelEnergyJoules = 0;               ///< modelled, of all steps
  double modelEnergyAboveIdleJoules = 0;      ///< modelled, of all steps, without what idle devices draw
  uint64_t gemmChoicesHash = 0;               ///< see hashOfChoices
  MemoryNeed memoryNeed;                      ///< by what was bound before the first step
  int64_t peakMemoryBytes = 0;                ///< see peakOwnBytes; of this process, until the last step
  std::optional<EvaluationReport> evaluation; ///< of the values that the last step left
  std::optional<double> targetEvalLoss;       ///< as asked for
  std::optional<TargetReport> target;         ///< nothing where `targetEvalLoss` was not reached
};

/// An executable with its ranks and parameters. Methods are not to be called
/// from several threads at once; each leaves the parameters ready for the next.
/// Where ranks are in several processes, rank 0's writes all files.
class Session {
public:
  /// `executable` outlives the session.
  static llvm::Expected<std::unique_ptr<Session>> create(const Executable &executable,
                                                         const SessionOptions &options);

  /// A session on any device. `seed` is that of the data's order.
  Session(std::unique_ptr<Runtime> runtime, uint64_t seed) : device(std::move(runtime)), seed(seed) {}

  /// Runs training steps. A loss that is not finite is an error that names the
  /// step. SIGINT and SIGTERM stop the run after a whole step, as
  /// StopReason::Interrupted; a second one ends the process.
  llvm::Expected<TrainReport> train(const TrainOptions &options);

  /// What a run with these options counts energy with.
  std::unique_ptr<EnergySource> energySource(EnergyOptions options) const;

  /// Runs "evaluate" over all rows; a last partial batch is padded and masked.
  llvm::Expected<EvaluationReport> evaluate(const DataFiles &data);

  /// Runs "infer" and writes the outputs that `outputs` names (one name may be empty where the model has one
  /// output). Where every file has exactly its input's shape, the function runs once on whole arrays;
  /// otherwise over all rows, in batches, if the model has a batch.
  llvm::Error infer(const DataFiles &data, llvm::ArrayRef<NamedFile> outputs);

  /// Likewise, of rows in memory, in batches; of a model without a batch, of whole arrays, whatever `rows`
  /// is.
  llvm::Error infer(const HostData &data, llvm::ArrayRef<HostOutput> outputs);

  /// The rows that one run of "infer" takes; 0 where its inputs and outputs have no common first dimension.
  int64_t inferenceBatch() const;

  /// One training step on as many rows as it takes (Program::stepRows). Returns their loss, that of the
  /// parameters before the step. The steps count from 1; `restart` makes the next one the first.
  llvm::Expected<double> trainStep(const HostData &data, double learningRate);
  void restart() { stepsDone = 0; }

  /// Runs "gradients" on the first batch of rows, in file order, and writes
  /// the gradient of each parameter, in the global shapes that parameter
  /// files have. Returns the loss.
  llvm::Expected<double> dumpGradients(const DataFiles &data, llvm::StringRef outputFile);

  /// Writes all parameters and optimizer state (.safetensors).
  llvm::Error saveParameters(llvm::StringRef path);

  Runtime &runtime() { return *device; }

private:
  /// By what is bound so far.
  MemoryNeed memoryNeedSoFar() const;

  /// The function `name`, bound; bound once and kept.
  llvm::Expected<FunctionInstance *> instance(llvm::StringRef name);
  llvm::Expected<TrainStep> bindTrainStep();

  struct BoundData {
    FunctionInstance &function;
    DataSet data;
  };
  /// The function `name`, and the data set that matches its arguments.
  llvm::Expected<BoundData> open(llvm::StringRef name, const DataFiles &files);

  std::unique_ptr<Runtime> device;
  std::map<std::string, std::unique_ptr<FunctionInstance>> instances;
  uint64_t seed = 0;
  int64_t stepsDone = 0; ///< by trainStep
};

/// One line that says how a run ended, for people.
std::string summary(const TrainReport &report);

/// Writes what `report` and the program's costs say as one JSON object
/// (docs: phantom-run --summary).
llvm::Error writeSummary(llvm::StringRef path, const Program &program, const TrainReport &report,
                         const std::optional<EvaluationReport> &evaluation);

} // namespace phantom::rt

#endif // PHANTOM_RT_SESSION_H
