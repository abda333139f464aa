//===- Totals.h - What the steps of a log came to ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_TOTALS_H
#define PHANTOM_RT_LIB_REPORT_TOTALS_H

#include "RunLog.h"

namespace phantom::rt::report {

/// Nothing where the log does not have what it is computed from, in every step.
using Amount = std::optional<double>;

/// What the steps of a log came to.
struct Totals {
  double firstLoss = 0, finalLoss = 0, bestLoss = 0;
  int64_t bestStep = 0;
  Amount finalEvalLoss, bestEvalLoss, finalEvalAccuracy; ///< of those steps that have one
  Amount seconds;
  Amount medianStepSeconds; ///< without the first step, which pays for cold caches
  Amount samplesPerSecond;  ///< all samples by all seconds
  Amount bytesPerStep, bytes;
  Amount joules, modelJoules;
  Amount commShare; ///< of the seconds, what was spent inside waits for exchanges
};
Totals totalsOf(const RunLog &log);

/// The sum up to each step; empty where a step has no value.
std::vector<double> runningSum(llvm::ArrayRef<double> values);

/// What the run had cost after the first step whose loss is not above the target.
struct TargetCost {
  std::optional<int64_t> step; ///< nothing: not reached
  Amount seconds, bytes, joules, modelJoules;
};
/// The costs of a log that does not begin with the first step are not known.
TargetCost costOfTarget(const RunLog &log, double targetLoss);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_TOTALS_H
