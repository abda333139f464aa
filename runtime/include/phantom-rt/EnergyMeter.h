//===- EnergyMeter.h - The energy of what a run does ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_ENERGYMETER_H
#define PHANTOM_RT_ENERGYMETER_H

#include "phantom-rt/Energy.h"

#include <array>
#include <cstdint>

namespace phantom::rt {

/// Divides what a source counts among the things that a run does in turn, and refuses what cannot be right:
/// a counter that falls, or that stands still for ten seconds. From then on there are no numbers.
class EnergyMeter {
public:
  enum Activity : uint8_t { Steps, Evaluation };

  /// Reads the source for the first time. It outlives the meter.
  explicit EnergyMeter(EnergySource &source, SecondsClock clock = steadySeconds);

  /// What the source has counted since the last call, which `activity` has used. Nothing where that is not
  /// known: after a reading that failed, and where the counter is too coarse for this lap. It is in the total
  /// all the same.
  EnergyReading lap(Activity activity);

  /// Of all laps of an activity.
  EnergyReading total(Activity activity) const;

private:
  struct Account {
    int64_t laps = 0;
    double joules = 0;
    bool isInGap = false; ///< a lap of it has ended in the gap
    std::string reason;   ///< why the total is not known
  };

  EnergyReading closeGap(Account &account, std::optional<double> joules);

  EnergySource &source;
  SecondsClock clock;
  std::string broken;         ///< why there are no numbers any more
  std::optional<double> last; ///< joules at the last reading that did not fail
  double lastChange = 0;      ///< when the counter was first seen where it is
  bool isFresh = true;        ///< the counter had moved at the last reading
  std::string gap;            ///< why the readings after that one failed; empty: none has
  std::array<Account, 2> accounts;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_ENERGYMETER_H
