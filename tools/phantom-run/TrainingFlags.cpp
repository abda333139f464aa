//===- TrainingFlags.cpp - How a model is trained -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "ReadFlags.h"

#include "phantom-rt/Schedule.h"

using namespace llvm;

namespace phantom::run {

using namespace flags;

namespace {

Error readCheckpoints(rt::CheckpointOptions &options) {
  if (!checkpointDir.given()) {
    for (const cl::Option *flag :
         std::initializer_list<const cl::Option *>{&checkpointEvery, &keepCheckpoints, &resume})
      if (flag->getNumOccurrences() > 0)
        return createStringError("--" + flag->ArgStr + " needs --checkpoint-dir");
    return Error::success();
  }
  options.folder = checkpointDir;
  options.resume = resume;
  for (const Text *flag : {&seed, &learningRate, &schedule, &warmup, &inputScale})
    options.flags[flag->ArgStr.str()] = flag->getValue();
  if (options.folder.empty())
    return flagError(checkpointDir, "name a folder");
  if (checkpointEvery.given())
    if (Error error = assign(options.every, integer(checkpointEvery, 1)))
      return error;
  return assign(options.keep, integer(keepCheckpoints, 1));
}

Error readEnergy(RunOptions &options) {
  rt::EnergyOptions &source = options.train.energy;
  if (!energy.given()) {
    if (options.device != Device::Sim)
      return Error::success();
    source.kind = rt::EnergyKind::None;
    source.noneReason = "the counter of --device sim counts no real energy";
    return Error::success();
  }
  if (StringRef file = energy; file.consume_front("external=")) {
    source.kind = rt::EnergyKind::External;
    source.file = file.str();
    return file.empty() ? flagError(energy, "name a file: external=F") : Error::success();
  }
  if (Error error = assign(source.kind, choice<rt::EnergyKind>(energy, {{"none", rt::EnergyKind::None},
                                                                        {"rapl", rt::EnergyKind::Rapl},
                                                                        {"nvml", rt::EnergyKind::Nvml}})))
    return createStringError(toString(std::move(error)) + ", external=F");
  if (source.kind == rt::EnergyKind::Nvml && options.device == Device::Cpu)
    return flagError(energy, "only for --device cuda and sim");
  source.noneReason = "--energy none";
  return Error::success();
}

Error readEvaluation(RunOptions &options) {
  rt::TrainOptions &train = options.train;
  if (evalInputs.given() || evalTargets.given())
    if (Error error = readData(evalInputs, evalTargets, options.evaluation))
      return error;
  if (targetEvalLoss.given()) {
    if (!evalEvery.given())
      return flagError(targetEvalLoss, "needs --eval-every, the steps between two evaluations");
    if (Error error = assign(train.targetEvalLoss, number(targetEvalLoss, 0)))
      return error;
  }
  if (!evalEvery.given())
    return Error::success();
  if (options.evaluation.inputs.empty())
    return flagError(evalEvery, "needs held-out data: --eval-inputs and --eval-targets");
  train.heldOut = options.evaluation;
  return assign(train.evalEvery, integer(evalEvery, 1));
}

} // namespace

Error readLoss(RunOptions &options) {
  return assign(options.compile.loss, choice<LossKind>(loss, {{"cross-entropy", LossKind::CrossEntropy},
                                                              {"mse", LossKind::Mse},
                                                              {"bce", LossKind::Bce}}));
}

Error readOptimizer(RunOptions &options) {
  options.compile.trainable = trainable;
  options.compile.frozen = frozen;
  options.compile.weightDecays = listOf(weightDecays);
  options.compile.learningRateFactors = listOf(rateFactors);
  return firstError({[&] {
                       return assign(options.compile.optimizer,
                                     choice<OptimizerKind>(optimizer, {{"sgd", OptimizerKind::Sgd},
                                                                       {"momentum", OptimizerKind::Momentum},
                                                                       {"adam", OptimizerKind::Adam},
                                                                       {"adamw", OptimizerKind::AdamW}}));
                     },
                     [&] { return assign(options.compile.momentum, number(momentum, 0)); },
                     [&] { return assign(options.compile.weightDecay, number(weightDecay, 0)); },
                     [&] { return assign(options.compile.clipNorm, number(clipNorm, 0)); },
                     [&] { return assign(options.compile.accumulate, integer(accumulate, 1)); },
                     [&] { return assign(options.compile.labelSmoothing, number(labelSmoothing, 0)); }});
}

Error readTraining(RunOptions &options) {
  rt::TrainOptions &train = options.train;
  if (Error error = firstError({[&] { return readData(inputs, targets, train.data); },
                                [&] { return readLoss(options); }, [&] { return readOptimizer(options); },
                                [&] { return assign(train.learningRate, number(learningRate, 0)); },
                                [&] { return assign(train.warmupFraction, number(warmup, 0)); },
                                [&] { return assign(train.schedule, rt::parseSchedule(schedule)); }}))
    return error;
  if (steps.given() == epochs.given())
    return createStringError("give one of --steps and --epochs");
  if (Error error =
          steps.given() ? assign(train.steps, integer(steps, 1)) : assign(train.epochs, integer(epochs, 1)))
    return error;
  if (targetLoss.given())
    if (Error error = assign(train.targetLoss, number(targetLoss, 0)))
      return error;
  if (Error error =
          firstError({[&] { return readEvaluation(options); }, [&] { return readEnergy(options); }}))
    return error;
  train.logFile = log;
  train.traceFile = trace;
  train.machineFile = machine;
  train.progress = !quiet;
  options.gradientsFile = dumpGradients;
  if (!options.gradientsFile.empty() && options.compile.accumulate > 1)
    return flagError(dumpGradients, "gradients are of one part of a step: leave --accumulate out");
  if (Error error =
          firstError({[&] { return readSave(options, save); }, [&] { return readCalibration(options); },
                      [&] { return readCheckpoints(train.checkpoints); }}))
    return error;
  options.summaryFile = summaryFile;
  std::vector<std::string> &functions = options.compile.functions = {"train_step"};
  if (!options.evaluation.inputs.empty())
    functions.push_back("evaluate");
  if (!options.gradientsFile.empty())
    functions.push_back("gradients");
  return Error::success();
}

} // namespace phantom::run
