//===- Schedule.cpp - Learning rate schedules -----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Schedule.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/StringSwitch.h"

#include <algorithm>
#include <cmath>
#include <optional>

using namespace llvm;

namespace phantom::rt {

double Schedule::at(int64_t step) const {
  const auto warmup = int64_t(std::ceil(warmupFraction * double(steps)));
  if (step < warmup)
    return learningRate * double(step + 1) / double(warmup);
  // From 0 in the first step after the warm-up to just under 1 in the last.
  const double progress = double(step - warmup) / double(std::max<int64_t>(1, steps - warmup));
  switch (kind) {
  case ScheduleKind::Constant:
    return learningRate;
  case ScheduleKind::Linear:
    return learningRate * (1 - progress);
  case ScheduleKind::Cosine:
    return learningRate * 0.5 * (1 + std::cos(M_PI * progress));
  case ScheduleKind::Wsd: {
    const auto decay = std::max<int64_t>(1, int64_t(std::ceil(decayFraction * double(steps))));
    return learningRate * std::min(1.0, double(steps - step) / double(decay));
  }
  }
  llvm_unreachable("unknown schedule");
}

Error Schedule::verify() const {
  if (!std::isfinite(learningRate) || learningRate < 0)
    return makeError("the learning rate must be a finite number that is not negative");
  // Written so that NaN fails.
  const bool warmupFits = warmupFraction >= 0 && warmupFraction <= 1,
             decayFits = decayFraction >= 0 && decayFraction <= 1;
  if (!warmupFits || !decayFits)
    return makeError("the warm-up and decay fractions of a schedule must be from 0 to 1");
  return Error::success();
}

Expected<ScheduleKind> parseSchedule(StringRef name) {
  auto kind = StringSwitch<std::optional<ScheduleKind>>(name)
                  .Case("constant", ScheduleKind::Constant)
                  .Case("linear", ScheduleKind::Linear)
                  .Case("cosine", ScheduleKind::Cosine)
                  .Case("wsd", ScheduleKind::Wsd)
                  .Default(std::nullopt);
  if (!kind)
    return makeError("unknown schedule '" + name + "'; it is constant, linear, cosine or wsd");
  return *kind;
}

} // namespace phantom::rt
