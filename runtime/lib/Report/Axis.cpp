//===- Axis.cpp - Axes with ticks at round numbers ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axis.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt::report {

double Axis::place(double value) const {
  if (isLog)
    return (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
  return (value - low) / (high - low);
}

/// 1, 2 or 5 times a power of ten: the smallest that divides `length` into at most `parts`.
static double roundStep(double length, int parts) {
  const double rough = length / parts, power = std::pow(10.0, std::floor(std::log10(rough)));
  for (double factor : {1, 2, 5})
    if (factor * power * parts >= length * (1 - 1e-9))
      return factor * power;
  return 10 * power;
}

/// 1, 2 or 5 times a power of ten: the last one that is not above a positive value, or the first not below.
static double roundDown(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (double factor : {10, 5, 2})
    if (factor * power <= value * (1 + 1e-9))
      return factor * power;
  return power;
}

static double roundUp(double value) {
  const double down = roundDown(value);
  if (down >= value * (1 - 1e-9))
    return down;
  const double power = std::pow(10.0, std::floor(std::log10(down) + 1e-9));
  return down < 1.5 * power ? 2 * power : down < 3 * power ? 5 * power : 10 * power;
}

static void addLinearTicks(Axis &axis, double step) {
  // Counted, so that rounding can neither lose the last tick nor go on for ever.
  const double first = std::ceil(axis.low / step - 1e-6), last = std::floor(axis.high / step + 1e-6);
  const double shown = step / axis.scale.factor, size = std::max(std::abs(axis.low), std::abs(axis.high));
  const int decimals = std::clamp(int(std::ceil(-std::log10(shown) - 1e-9)), 0, 15);
  const int digits = std::clamp(int(std::ceil(std::log10(size / step))) + 1, 1, 15);
  for (int i = 0; i <= int(std::min(last - first, 20.0)); ++i) {
    const double value = (first + i) * step, inScale = value / axis.scale.factor;
    const bool isPlain = std::abs(inScale) < 1e6 && shown >= 1e-5;
    std::string label = !isPlain      ? formatNumber(inScale, digits)
                        : inScale < 0 ? "−" + formatFixed(-inScale, decimals)
                                      : formatFixed(inScale, decimals);
    axis.ticks.push_back({value, value == 0 ? "0" : label + axis.scale.suffix.str()});
  }
}

static void addLogTicks(Axis &axis, Unit unit) {
  const int first = int(std::floor(std::log10(axis.low) + 1e-9)),
            last = int(std::ceil(std::log10(axis.high) - 1e-9));
  const int decades = last - first, every = (decades + 6) / 7;
  for (int exponent = first; exponent <= last; ++exponent)
    for (int factor : {1, 2, 5}) {
      const double value = factor * std::pow(10.0, exponent);
      if (value < axis.low * (1 - 1e-9) || value > axis.high * (1 + 1e-9))
        continue;
      const bool isLabelled = factor == 1 ? (exponent - first) % every == 0 : decades <= 2;
      if (isLabelled || decades <= 4)
        axis.ticks.push_back({value, isLabelled ? formatValue(value, unit) : ""});
    }
}

static Axis makeLogAxis(double low, double high, Unit unit) {
  Axis axis;
  axis.isLog = true;
  axis.low = roundDown(low);
  axis.high = roundUp(high);
  axis.scale = scaleOf(unit, high);
  addLogTicks(axis, unit);
  return axis;
}

Axis makeAxis(double low, double high, Unit unit, AxisKind kind) {
  // Smaller numbers have no power of ten to go with.
  constexpr double smallest = 1e-300;
  if (kind == AxisKind::FitOrLog && low > smallest && high / low > 10)
    return makeLogAxis(low, high, unit);
  if (kind == AxisKind::FromZero || (kind == AxisKind::Exact && low > 0 && low <= 0.1 * high))
    low = 0;
  // A line of equal values, or of values that differ in their last digits only.
  const double size = std::max(std::abs(low), std::abs(high));
  if (high - low <= std::max(1e-6 * size, smallest)) {
    const double around = size > smallest ? size / 10 : 1;
    high += around;
    low = kind == AxisKind::Fit || kind == AxisKind::FitOrLog ? low - around : low;
  }
  Axis axis;
  axis.scale = scaleOf(unit, std::max(std::abs(low), std::abs(high)));
  const double step =
      roundStep((high - low) / axis.scale.factor, kind == AxisKind::Exact ? 6 : 5) * axis.scale.factor;
  axis.low = kind == AxisKind::Exact ? low : std::floor(low / step + 1e-6) * step;
  axis.high = kind == AxisKind::Exact ? high : std::ceil(high / step - 1e-6) * step;
  addLinearTicks(axis, step);
  return axis;
}

} // namespace phantom::rt::report
