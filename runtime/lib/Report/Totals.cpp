//===- Totals.cpp - What the steps of a log came to -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Totals.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace llvm;

namespace phantom::rt::report {

static Amount sumOf(const RunLog &log, Column column) {
  if (!log.isWhole(column))
    return std::nullopt;
  ArrayRef<double> values = log.of(column);
  return std::accumulate(values.begin(), values.end(), 0.0);
}

static Amount medianStepSeconds(const RunLog &log) {
  if (!log.isWhole(Column::StepSeconds))
    return std::nullopt;
  std::vector<double> values(log.of(Column::StepSeconds));
  if (values.size() > 1)
    values.erase(values.begin());
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The rows of a step are its rate times its seconds.
static Amount samplesPerSecond(const RunLog &log, Amount seconds) {
  if (!seconds || *seconds == 0 || !log.isWhole(Column::SamplesPerSecond))
    return std::nullopt;
  double samples = 0;
  for (auto [rate, time] : zip_equal(log.of(Column::SamplesPerSecond), log.of(Column::StepSeconds)))
    samples += rate * (time / *seconds);
  return samples;
}

static void addEvaluations(Totals &totals, const RunLog &log) {
  for (double loss : log.of(Column::EvalLoss)) {
    if (std::isnan(loss))
      continue;
    totals.finalEvalLoss = loss;
    totals.bestEvalLoss = std::min(totals.bestEvalLoss.value_or(loss), loss);
  }
  for (double accuracy : log.of(Column::EvalAccuracy))
    if (!std::isnan(accuracy))
      totals.finalEvalAccuracy = accuracy;
}

Totals totalsOf(const RunLog &log) {
  Totals totals;
  ArrayRef<double> losses = log.of(Column::Loss);
  const double *best = std::min_element(losses.begin(), losses.end());
  totals.firstLoss = losses.front();
  totals.finalLoss = losses.back();
  totals.bestLoss = *best;
  totals.bestStep = log.firstStep + (best - losses.begin());
  addEvaluations(totals, log);
  totals.seconds = sumOf(log, Column::StepSeconds);
  totals.medianStepSeconds = medianStepSeconds(log);
  totals.samplesPerSecond = samplesPerSecond(log, totals.seconds);
  totals.bytes = sumOf(log, Column::CommBytes);
  if (totals.bytes)
    totals.bytesPerStep = *totals.bytes / double(log.steps());
  totals.joules = sumOf(log, Column::Energy);
  totals.modelJoules = sumOf(log, Column::ModelEnergy);
  if (Amount waits = sumOf(log, Column::CommSeconds); waits && totals.seconds && *totals.seconds > 0)
    totals.commShare = *waits / *totals.seconds;
  return totals;
}

std::vector<double> runningSum(ArrayRef<double> values) {
  std::vector<double> sums(values.size());
  std::partial_sum(values.begin(), values.end(), sums.begin());
  if (!sums.empty() && std::isnan(sums.back()))
    sums.clear();
  return sums;
}

TargetCost costOfTarget(const RunLog &log, double targetLoss) {
  TargetCost cost;
  ArrayRef<double> losses = log.of(Column::Loss);
  const double *reached = find_if(losses, [&](double loss) { return loss <= targetLoss; });
  if (reached == losses.end())
    return cost;
  const size_t index = size_t(reached - losses.begin());
  cost.step = log.firstStep + int64_t(index);
  auto upTo = [&](Column column) -> Amount {
    std::vector<double> sums = runningSum(log.of(column).take_front(index + 1));
    if (sums.empty() || log.firstStep != 1)
      return std::nullopt;
    return sums.back();
  };
  cost.seconds = upTo(Column::StepSeconds);
  cost.bytes = upTo(Column::CommBytes);
  cost.joules = upTo(Column::Energy);
  cost.modelJoules = upTo(Column::ModelEnergy);
  return cost;
}

} // namespace phantom::rt::report
