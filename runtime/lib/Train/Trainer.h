//===- Trainer.h - The training loop ---------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_TRAINER_H
#define PHANTOM_RT_LIB_TRAIN_TRAINER_H

#include "Evaluator.h"
#include "LiveState.h"
#include "TrainStep.h"
#include "phantom-rt/EnergyMeter.h"
#include "phantom-rt/MachineModel.h"
#include "phantom-rt/Random.h"
#include "phantom-rt/Session.h"
#include "phantom-rt/StepLog.h"

namespace phantom::rt {

/// One training run. All ranks run the same loop; between the barrier at the
/// end of a step and the one at the start of the next, the leader of each
/// process reads what the ranks report and decides whether to go on, while
/// every rank copies its share of the next batch. All processes have the same
/// reports, and so decide alike; rank 0's writes the log.
class Trainer {
public:
  /// What is given outlives the trainer; `heldOut` is null where nothing is evaluated while training.
  static llvm::Expected<std::unique_ptr<Trainer>> create(Runtime &runtime, const TrainStep &step,
                                                         Evaluator *heldOut, EnergySource &energy,
                                                         const TrainOptions &options, uint64_t seed);
  llvm::Expected<TrainReport> run();

private:
  using Clock = std::chrono::steady_clock;

  /// What a rank says about its last step; read by the leader after the barrier.
  struct alignas(128) RankReport {
    CommCounters comm;
    double squaredNorm = 0;
    // Of the leaders.
    double lossSum = 0; ///< of the step's parts
    double replicatedSquaredNorm = 0;
    bool isAskedToStop = false; ///< by a signal to its process
  };

  /// The part of a step whose rows a rank has copied for the next run; none at first.
  struct alignas(128) RowsAhead {
    int64_t step = -1, part = 0;
  };

  Trainer(Runtime &runtime, const TrainStep &step, Evaluator *heldOut, EnergySource &energy,
          const TrainOptions &options, uint64_t seed)
      : runtime(runtime), program(runtime.program()), functions(step), heldOut(heldOut), energy(energy),
        options(options), checkpoints(options.checkpoints), seed(seed), ranks(runtime.program().ranks),
        leader(runtime.team().leader()), live(runtime) {}

  llvm::Error prepare();
  llvm::Error resume();
  llvm::Error saveCheckpoint();
  bool isCheckpointDue() const;
  /// From step `first` (from 0 on) to the segment's end.
  llvm::Error runRank(int64_t rank, int64_t first);
  /// The rows of part `part` of step `step`, for this run of the function or its next one.
  void copyRows(int64_t rank, int64_t step, int64_t part, ForRun run = ForRun::This);
  /// Sees to it that those rows are there for this run: they may have been copied beside the run before.
  void provideRows(int64_t rank, int64_t step, int64_t part);
  /// Copies the rows of the run that comes after that of part `part` of step `step`.
  void copyRowsBehind(int64_t rank, int64_t step, int64_t part);
  llvm::Error runParts(int64_t rank, int64_t step);
  llvm::Error runEnd(int64_t rank, llvm::function_ref<void()> whileRunning);
  llvm::Error shareReports();
  llvm::Error finishStep(int64_t step);
  bool shouldStop(int64_t stepsDone);

  // Evaluations, between runs of the ranks.
  bool isEvaluationDue() const { return heldOut && report.steps % options.evalEvery == 0; }
  llvm::Error evaluate();
  void checkTarget(double evalLoss);

  /// Of the run so far, evaluations not included.
  double secondsOfSteps() const;
  std::optional<double> gradientNorm() const;
  void addCommunication(StepRecord &record) const;
  void addEnergy(StepRecord &record);
  void updateEnergy();
  llvm::Error writeTrace() const;

  Runtime &runtime;
  const Program &program;
  TrainStep functions;
  Evaluator *heldOut;
  EnergySource &energy;
  const TrainOptions &options;
  CheckpointOptions checkpoints;
  uint64_t seed;
  int64_t ranks;
  int64_t leader; ///< of this process

  std::optional<DataSet> data;
  Schedule schedule;
  MachineModel machine;
  ModelledStep modelled;
  std::unique_ptr<StepLog> log;
  std::unique_ptr<Progress> progress;
  double lossSum = 0; ///< of the step's parts so far, on the leader
  LiveState live;
  int64_t stepsPerEpoch = 1;
  TrainState carried;     ///< from the checkpoint that the run goes on from
  int64_t segmentEnd = 0; ///< the step before which the ranks stop, for a checkpoint or an evaluation

  bool copiesAhead = false;         ///< the next run's rows, while a GPU works
  std::vector<RowsAhead> rowsAhead; ///< by rank

  std::vector<RankReport> reports;
  std::vector<std::vector<CommandTiming>> timings;    ///< by rank
  std::vector<std::vector<CommandTiming>> endTimings; ///< of what runs after the parts
  bool stop = false; ///< written by the leader before a barrier, read by all ranks here after it
  Clock::time_point stepBegin, runBegin;
  std::vector<double> stepSeconds;
  std::optional<EnergyMeter> meter;
  double evalSeconds = 0;         ///< since `runBegin`
  std::optional<StepRecord> open; ///< the line of the log that waits for an evaluation
  TrainReport report;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_TRAINER_H
