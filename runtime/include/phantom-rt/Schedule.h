//===- Schedule.h - Learning rate schedules --------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_SCHEDULE_H
#define PHANTOM_RT_SCHEDULE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>

namespace phantom::rt {

enum class ScheduleKind : uint8_t {
  Constant,
  Linear, ///< falls to zero
  Cosine, ///< falls to zero along half a cosine
  Wsd,    ///< warm-up, stable, and a linear fall to zero at the end
};

/// The learning rate of each step of a run of known length. Every kind may
/// begin with a linear warm-up.
struct Schedule {
  ScheduleKind kind = ScheduleKind::Constant;
  double learningRate = 0;    ///< the highest
  int64_t steps = 1;          ///< of the run
  double warmupFraction = 0;  ///< of the steps
  double decayFraction = 0.2; ///< of the steps: the fall of Wsd

  /// For step 0, 1, ... steps - 1; positive if learningRate is.
  double at(int64_t step) const;

  /// Checks fractions and rate; `error` names the value.
  llvm::Error verify() const;
};

/// "constant", "linear", "cosine" or "wsd".
llvm::Expected<ScheduleKind> parseSchedule(llvm::StringRef name);

} // namespace phantom::rt

#endif // PHANTOM_RT_SCHEDULE_H
