//===- TrainerEvaluation.cpp - Evaluations while training -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trainer.h"

#include "phantom-rt/Error.h"

using namespace llvm;

namespace phantom::rt {

double Trainer::secondsOfSteps() const {
  return carried.seconds + std::chrono::duration<double>(Clock::now() - runBegin).count() - evalSeconds;
}

/// Together with what was counted before the checkpoint; `isComplete`: that is known, or there was none.
static EnergyReading addCarried(EnergyReading counted, std::optional<double> carried, bool isComplete) {
  if (!counted.joules)
    return counted;
  if (!isComplete)
    return {std::nullopt, "there is no number for the steps before the checkpoint"};
  return {*counted.joules + carried.value_or(0), ""};
}

void Trainer::updateEnergy() {
  const EnergyReading steps = addCarried(meter->total(EnergyMeter::Steps), carried.energyJoules,
                                         carried.energyJoules || carried.step == 0);
  report.energyJoules = steps.joules;
  report.energyReason = steps.reason;
  const EnergyReading evaluations =
      addCarried(meter->total(EnergyMeter::Evaluation), carried.evalEnergyJoules,
                 carried.evalEnergyJoules || carried.evaluations == 0);
  report.evalEnergyJoules = evaluations.joules;
  report.evalEnergyReason = evaluations.reason;
}

Error Trainer::evaluate() {
  const auto begin = Clock::now();
  live.beginEvaluation();
  Expected<EvaluationReport> evaluation = heldOut->run();
  if (!evaluation) {
    progress.reset();
    return makeError("step " + Twine(report.steps) +
                     ", on the held-out data: " + toString(evaluation.takeError()));
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  evalSeconds += seconds;
  report.evalSeconds += seconds;
  ++report.evaluations;
  (void)meter->lap(EnergyMeter::Evaluation);
  updateEnergy();
  report.evaluation = *evaluation;
  open->evalLoss = evaluation->loss;
  open->evalAccuracy = evaluation->accuracy;
  checkTarget(evaluation->loss);
  Error error = log->write(*open);
  open.reset();
  return error;
}

void Trainer::checkTarget(double evalLoss) {
  if (!options.targetEvalLoss || evalLoss > *options.targetEvalLoss)
    return;
  report.stopReason = StopReason::TargetEvalLoss;
  report.target = {report.steps, secondsOfSteps(), report.commBytes, report.energyJoules,
                   modelled.joules * double(report.steps)};
}

} // namespace phantom::rt
