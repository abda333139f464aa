//===- Units.h - Numbers for people -----------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_UNITS_H
#define PHANTOM_RT_LIB_REPORT_UNITS_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace phantom::rt::report {

enum class Unit { Number, Count, Seconds, Bytes, Joules, Flops, Share, PerSecond };

/// How values of one size are shown: divided by the factor, with the suffix behind them (" ms", "k", "").
struct Scale {
  double factor = 1;
  llvm::StringRef suffix;
};

/// The scale for values up to `largest`.
Scale scaleOf(Unit unit, double largest);

/// With so many significant digits, and without zeros that say nothing: "0.08423", "1.2×10⁻⁷".
std::string formatNumber(double value, int digits = 4);

/// With at most so many decimals, and without zeros at the end.
std::string formatFixed(double value, int decimals);

/// With its unit: "444 µs", "20.1 kB", "1,200".
std::string formatValue(double value, Unit unit);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_UNITS_H
