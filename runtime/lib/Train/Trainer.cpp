//===- Trainer.cpp - The training loop ------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trainer.h"

#include "NumberText.h"
#include "StateSignal.h"
#include "StopSignals.h"
#include "Trace.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

static double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

//===----------------------------------------------------------------------===//
// Before the first step
//===----------------------------------------------------------------------===//

Expected<std::unique_ptr<Trainer>> Trainer::create(Runtime &runtime, const TrainStep &step,
                                                   Evaluator *heldOut, EnergySource &energy,
                                                   const TrainOptions &options, uint64_t seed) {
  std::unique_ptr<Trainer> trainer(new Trainer(runtime, step, heldOut, energy, options, seed));
  if (Error error = trainer->prepare())
    return error;
  return trainer;
}

Error Trainer::prepare() {
  if ((options.steps > 0) == (options.epochs > 0) || options.steps < 0 || options.epochs < 0)
    return makeError("training needs either a positive number of steps or a positive number of epochs");
  Expected<DataSet> opened = DataSet::open(options.data, program, functions.onPart.function());
  if (!opened)
    return opened.takeError();
  data = std::move(*opened);
  if (data->rows() < program.stepRows())
    return makeError(data->label() + " has " + Twine(data->rows()) + " rows, too few for one batch of " +
                     Twine(program.stepRows()) + "; use a smaller batch size");
  stepsPerEpoch = data->rows() / program.stepRows();

  int64_t steps = options.steps;
  if (options.epochs > 0 && __builtin_mul_overflow(options.epochs, stepsPerEpoch, &steps))
    return makeError("the number of epochs is too large");
  schedule = {options.schedule, options.learningRate, steps, options.warmupFraction, options.decayFraction};
  if (Error error = schedule.verify())
    return error;

  if (!options.machineFile.empty()) {
    Expected<MachineModel> read = MachineModel::read(options.machineFile);
    if (!read)
      return read.takeError();
    machine = *read;
  }
  modelled = modelStep(machine, program);
  if (!std::isfinite(modelled.joules * double(steps)))
    return makeError("'" + options.machineFile + "' gives an energy that is no number: check its values");
  report.modelEnergyJoulesPerStep = modelled.joules;
  report.energySource = energy.name().str();
  report.targetEvalLoss = options.targetEvalLoss;
  report.gemmChoicesHash = runtime.gemmChoicesHash();
  report.modelCommBytesPerStep = program.trainCosts.modelCommBytes;

  if (Error error = resume())
    return error;
  const bool writes = runtime.team().isRoot();
  Expected<std::unique_ptr<StepLog>> stepLog = StepLog::open(writes ? options.logFile : "", carried.step);
  if (!stepLog)
    return stepLog.takeError();
  log = std::move(*stepLog);
  progress = std::make_unique<Progress>(options.progress && writes, steps, carried.step);
  if (Error error = functions.onPart.keepNextArguments().moveInto(copiesAhead))
    return error;
  rowsAhead.resize(ranks);
  reports.resize(ranks);
  timings.resize(ranks);
  endTimings.resize(ranks);
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

static std::string textOf(uint64_t hash) { return utohexstr(hash, /*LowerCase=*/true); }

Error Trainer::resume() {
  if (checkpoints.folder.empty())
    return Error::success();
  // A rate that falls towards the end depends on where that is.
  if (schedule.kind != ScheduleKind::Constant || schedule.warmupFraction > 0)
    checkpoints.flags["steps"] = std::to_string(schedule.steps);
  if (runtime.team().isRoot())
    if (Error error = makeCheckpointFolder(checkpoints.folder))
      return error;
  if (!checkpoints.resume)
    return checkNoCheckpoints(checkpoints.folder);
  Expected<std::optional<TrainState>> state =
      readNewestCheckpoint(checkpoints, program, runtime.parameters());
  if (!state)
    return state.takeError();
  if (!*state)
    return Error::success();
  carried = **state;
  if (carried.rows != data->rows())
    return makeError("the checkpoint in '" + checkpoints.folder + "' is of a run on " + Twine(carried.rows) +
                     " rows of data; these files have " + Twine(data->rows()));
  if (carried.step > schedule.steps)
    return makeError("the newest checkpoint in '" + checkpoints.folder + "' is of step " +
                     Twine(carried.step) + ", behind the last one, " + Twine(schedule.steps));
  if (carried.gemmChoicesHash != textOf(report.gemmChoicesHash) && runtime.team().isRoot())
    errs()
        << "phantom-run: warning: the checkpoint was made with other GEMM kernels: the run goes on, but its "
           "bits are not those of one run\n";
  report.steps = report.resumedSteps = carried.step;
  report.firstLoss = carried.firstLoss;
  report.finalLoss = carried.finalLoss;
  report.commBytes = carried.commBytes;
  report.evaluations = carried.evaluations;
  report.evalSeconds = carried.evalSeconds;
  return Error::success();
}

bool Trainer::isCheckpointDue() const {
  const bool isEnd = report.stopReason != StopReason::Completed || report.steps == schedule.steps;
  return !checkpoints.folder.empty() &&
         (isEnd || (checkpoints.every > 0 && report.steps % checkpoints.every == 0));
}

/// Between runs of the ranks.
Error Trainer::saveCheckpoint() {
  if (Error error = runtime.fetchParameters())
    return error;
  if (!runtime.team().isRoot())
    return Error::success();
  TrainState state;
  state.step = report.steps;
  state.rows = data->rows();
  state.firstLoss = report.firstLoss;
  state.finalLoss = report.finalLoss;
  state.seconds = secondsOfSteps();
  state.gemmChoicesHash = textOf(report.gemmChoicesHash);
  state.energyJoules = report.energyJoules;
  state.modelEnergyJoules = modelled.joules * double(report.steps);
  state.commBytes = report.commBytes;
  state.evalLoss = report.evaluation ? std::optional(report.evaluation->loss) : std::nullopt;
  state.evaluations = report.evaluations;
  state.evalSeconds = report.evalSeconds;
  state.evalEnergyJoules = report.evalEnergyJoules;
  return writeCheckpoint(checkpoints, program, runtime.parameters(), state);
}

//===----------------------------------------------------------------------===//
// The loop
//===----------------------------------------------------------------------===//

Expected<TrainReport> Trainer::run() {
  StopSignals signals;
  StateSignal stateSignal([this] { live.show(options.showState); });
  runBegin = Clock::now();
  meter.emplace(energy);
  updateEnergy();
  if (carried.evalLoss)
    checkTarget(*carried.evalLoss);
  int64_t saved = carried.step;
  do {
    segmentEnd = schedule.steps;
    if (!checkpoints.folder.empty() && checkpoints.every > 0)
      segmentEnd = std::min(segmentEnd, (report.steps / checkpoints.every + 1) * checkpoints.every);
    if (heldOut)
      segmentEnd = std::min(segmentEnd, (report.steps / options.evalEvery + 1) * options.evalEvery);
    if (Error error =
            runtime.team().run([this, first = report.steps](int64_t rank) { return runRank(rank, first); }))
      return error;
    if (open)
      if (Error error = evaluate())
        return error;
    if (isCheckpointDue() && report.steps > saved) {
      if (Error error = saveCheckpoint())
        return error;
      saved = report.steps;
    }
  } while (report.stopReason == StopReason::Completed && report.steps < schedule.steps);
  progress.reset();
  report.seconds = secondsOfSteps();
  // The first step pays for cold caches and page faults.
  if (stepSeconds.size() > 1)
    stepSeconds.erase(stepSeconds.begin());
  if (!stepSeconds.empty()) {
    auto middle = stepSeconds.begin() + stepSeconds.size() / 2;
    std::nth_element(stepSeconds.begin(), middle, stepSeconds.end());
    report.medianStepSeconds = *middle;
  }
  report.modelEnergyJoules = modelled.joules * double(report.steps);
  report.modelEnergyAboveIdleJoules = modelled.aboveIdleJoules * double(report.steps);
  if (!options.traceFile.empty() && runtime.team().isRoot())
    if (Error error = writeTrace())
      return error;
  return report;
}

Error Trainer::runRank(int64_t rank, int64_t first) {
  Communicator &communicator = runtime.team().communicator(rank);
  for (int64_t step = first;; ++step) {
    if (rank == leader) {
      stepBegin = Clock::now();
      stop = shouldStop(step);
      if (!stop)
        live.beginStep(step + 1, schedule.steps);
    }
    // What was copied ahead serves the next segment, where this one ends.
    if (rank != leader || !stop)
      provideRows(rank, step, 0);
    if (rank == leader) {
      functions.setStep(step, schedule.at(step));
      functions.setPart(step, 0);
      lossSum = 0;
    }
    if (Error error = communicator.barrier("the start of a step"))
      return error;
    if (stop)
      break;

    communicator.counters = {};
    const bool traced = !options.traceFile.empty() && step < carried.step + options.traceSteps;
    functions.onEnd.setTimings(rank, traced ? &endTimings[rank] : nullptr);
    functions.onPart.setTimings(rank, traced ? &timings[rank] : nullptr);
    if (Error error = runParts(rank, step))
      return error;
    if (rank == leader)
      if (Error finished = finishStep(step))
        return finished;
  }
  functions.onPart.setTimings(rank, nullptr);
  functions.onEnd.setTimings(rank, nullptr);
  return Error::success();
}

/// All of a step; its first part's rows are there.
Error Trainer::runParts(int64_t rank, int64_t step) {
  FunctionInstance &function = functions.onPart;
  for (int64_t part = 0; part < functions.parts; ++part) {
    if (part > 0) {
      provideRows(rank, step, part);
      if (rank == leader)
        functions.setPart(step, part);
      if (Error error = runtime.team().communicator(rank).barrier("the start of a part of a step"))
        return error;
    }
    auto copyAhead = [&] { copyRowsBehind(rank, step, part); };
    if (Error error =
            functions.isDivided() ? function.run(rank, nullptr, copyAhead) : runEnd(rank, copyAhead))
      return error;
    if (rank == leader)
      lossSum += function.scalar(rank, *function.result(Role::Loss));
  }
  return functions.isDivided() ? runEnd(rank, nullptr) : Error::success();
}

/// What ends the step, and says how large the gradient was.
Error Trainer::runEnd(int64_t rank, function_ref<void()> whileRunning) {
  FunctionInstance &function = functions.onEnd;
  auto report = [&] {
    RankReport &mine = reports[rank];
    mine.comm = runtime.team().communicator(rank).counters;
    const Result *norm = function.result(Role::SquaredNorm);
    mine.squaredNorm = norm ? function.scalar(rank, *norm) : 0;
  };
  return function.run(rank, report, whileRunning);
}

void Trainer::provideRows(int64_t rank, int64_t step, int64_t part) {
  if (rowsAhead[rank].step != step || rowsAhead[rank].part != part)
    copyRows(rank, step, part);
  else if (rank == leader)
    functions.onPart.advance();
}

void Trainer::copyRowsBehind(int64_t rank, int64_t step, int64_t part) {
  if (!copiesAhead)
    return;
  const bool isLast = part + 1 == functions.parts;
  const RowsAhead behind{isLast ? step + 1 : step, isLast ? 0 : part + 1};
  if (behind.step == schedule.steps)
    return;
  copyRows(rank, behind.step, behind.part, ForRun::Next);
  rowsAhead[rank] = behind;
}

void Trainer::copyRows(int64_t rank, int64_t step, int64_t part, ForRun run) {
  const uint64_t epoch = uint64_t(step / stepsPerEpoch);
  const int64_t first = step % stepsPerEpoch * program.stepRows() + part * program.batch;
  const Permutation order(uint64_t(data->rows()), seed, epoch);
  const auto [begin, end] = runtime.team().shareOf(program.batch, rank);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t source = options.shuffle ? int64_t(order(uint64_t(first + row))) : first + row;
    data->copyRow(source, functions.onPart, row, run);
  }
}

bool Trainer::shouldStop(int64_t stepsDone) {
  if (report.stopReason != StopReason::Completed)
    return true;
  if (stepsDone > 0 && options.targetLoss && report.finalLoss <= *options.targetLoss) {
    report.stopReason = StopReason::TargetLoss;
    return true;
  }
  if (stepsDone >= segmentEnd)
    return true;
  const bool isAsked = runtime.team().isDistributed()
                           ? any_of(reports, [](const RankReport &one) { return one.isAskedToStop; })
                           : StopSignals::requested();
  if (!isAsked)
    return false;
  report.stopReason = StopReason::Interrupted;
  return true;
}

std::optional<double> Trainer::gradientNorm() const {
  const FunctionInstance &function = functions.onEnd;
  if (!function.result(Role::SquaredNorm) && !function.result(Role::SquaredNormReplicated))
    return std::nullopt;
  double sum = reports[0].replicatedSquaredNorm;
  for (const RankReport &one : reports) // in rank order: the same bits in each run
    sum += one.squaredNorm;
  return std::sqrt(sum);
}

void Trainer::addCommunication(StepRecord &record) const {
  double seconds = 0, skewSeconds = 0;
  for (const RankReport &one : reports) {
    record.commBytes = std::max(record.commBytes, one.comm.bytes);
    seconds += one.comm.seconds / double(ranks);
    skewSeconds += one.comm.skewSeconds / double(ranks);
  }
  if (runtime.timesExchanges()) {
    record.commSeconds = seconds;
    // Clocks of several machines cannot be compared.
    if (!runtime.team().isDistributed())
      record.commSkewSeconds = skewSeconds;
  }
  record.modelCommBytes = report.modelCommBytesPerStep;
}

/// Also that of the run so far.
void Trainer::addEnergy(StepRecord &record) {
  const EnergyReading lap = meter->lap(EnergyMeter::Steps);
  record.energyJoules = lap.joules;
  record.energyReason = lap.reason;
  updateEnergy();
}

/// What all processes know of the step afterwards. Decisions follow from rank 0's loss, since processors that
/// differ may compute it with other last bits.
Error Trainer::shareReports() {
  RankReport &mine = reports[leader];
  const Result *replicated = functions.onEnd.result(Role::SquaredNormReplicated);
  mine.lossSum = lossSum;
  mine.replicatedSquaredNorm = replicated ? functions.onEnd.scalar(leader, *replicated) : 0;
  mine.isAskedToStop = StopSignals::requested();
  return runtime.team().allGather(reports, "the end of a step");
}

/// On the leader, after the barrier: the other ranks cannot write what is read
/// here before the next barrier.
Error Trainer::finishStep(int64_t step) {
  if (Error error = shareReports())
    return error;
  StepRecord record;
  record.step = step + 1;
  record.loss = reports[0].lossSum / double(functions.parts);
  if (!std::isfinite(record.loss)) {
    progress.reset();
    return makeError("step " + Twine(step + 1) + ": the loss is " + numberText(record.loss) +
                     "; training stops. Try a smaller learning rate, and check the data for NaN");
  }
  record.gradNorm = gradientNorm();
  if (record.gradNorm && std::isnan(*record.gradNorm)) {
    progress.reset();
    return makeError(
        "step " + Twine(step + 1) +
        ": gradients are NaN; training stops. Try a smaller learning rate, and check the data and "
        "the parameters for NaN");
  }
  // JSON has no infinity, and a sum of squares may be one where the gradients are not.
  if (record.gradNorm && std::isinf(*record.gradNorm))
    record.gradNorm.reset();
  record.learningRate = schedule.at(step);
  record.stepSeconds = secondsSince(stepBegin);
  record.samplesPerSecond = double(program.stepRows()) / record.stepSeconds;
  addCommunication(record);
  addEnergy(record);
  record.modelEnergyJoules = modelled.joules;

  if (step == 0)
    report.firstLoss = record.loss;
  report.finalLoss = record.loss;
  report.steps = step + 1;
  report.commBytesPerStep = record.commBytes;
  report.commBytes += record.commBytes;
  report.evaluation.reset();
  stepSeconds.push_back(record.stepSeconds);
  live.endStep(record.loss);
  progress->show(record);
  if (!isEvaluationDue())
    return log->write(record);
  open = record;
  return Error::success();
}

Error Trainer::writeTrace() const {
  std::vector<TracedFunction> traced{{functions.onPart.function(), timings}};
  if (functions.isDivided())
    traced.push_back({functions.onEnd.function(), endTimings});
  return phantom::rt::writeTrace(options.traceFile, program, traced, runBegin);
}

} // namespace phantom::rt
