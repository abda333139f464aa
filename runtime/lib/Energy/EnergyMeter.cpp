//===- EnergyMeter.cpp - The energy of what a run does --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/EnergyMeter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace phantom::rt {

/// A counter of a machine that computes moves more often.
static constexpr double longestStandstill = 10;

EnergyMeter::EnergyMeter(EnergySource &source, SecondsClock secondsClock)
    : source(source), clock(std::move(secondsClock)) {
  EnergyReading first = source.read();
  last = first.joules;
  gap = first.reason;
  lastChange = clock();
}

/// A reading that does not fail, after some that did: `joules` were used since the last one, if that is
/// known.
EnergyReading EnergyMeter::closeGap(Account &account, std::optional<double> joules) {
  const std::string reason = std::exchange(gap, "");
  account.isInGap = true;
  const bool isShared = all_of(accounts, [](const Account &one) { return one.isInGap; });
  if (joules && !isShared)
    account.joules += *joules;
  for (Account &one : accounts) {
    if (one.isInGap && (isShared || !joules))
      one.reason = reason;
    one.isInGap = false;
  }
  return {std::nullopt, reason};
}

EnergyReading EnergyMeter::lap(Activity activity) {
  Account &account = accounts[activity];
  ++account.laps;
  if (!broken.empty())
    return {std::nullopt, broken};
  const EnergyReading reading = source.read();
  const double now = clock();
  if (!reading.joules) {
    gap = reading.reason;
    account.isInGap = true;
    return reading;
  }
  if (last && *reading.joules < *last)
    broken = formatv("the counter fell from {0} to {1} joules", *last, *reading.joules);
  else if (last == reading.joules && now - lastChange > longestStandstill)
    broken = formatv("the counter has not changed for more than {0} seconds", longestStandstill);
  if (!broken.empty())
    return {std::nullopt, broken};

  const std::optional<double> joules = last ? std::optional(*reading.joules - *last) : std::nullopt;
  const bool isLapKnown = std::exchange(isFresh, joules != 0.0) && isFresh;
  if (isFresh)
    lastChange = now;
  last = reading.joules;
  if (!gap.empty() || !joules)
    return closeGap(account, joules);
  account.joules += *joules;
  if (isLapKnown)
    return {joules, ""};
  return {std::nullopt, "the counter is too coarse: it does not change in every step"};
}

EnergyReading EnergyMeter::total(Activity activity) const {
  const Account &account = accounts[activity];
  if (!broken.empty())
    return {std::nullopt, broken};
  if (!account.reason.empty())
    return {std::nullopt, account.reason};
  if (account.isInGap || !last)
    return {std::nullopt, gap};
  if (account.laps > 0 && account.joules == 0)
    return {std::nullopt, "the counter has not changed"};
  return {account.joules, ""};
}

} // namespace phantom::rt
