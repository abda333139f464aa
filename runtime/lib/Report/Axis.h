//===- Axis.h - Axes with ticks at round numbers ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_AXIS_H
#define PHANTOM_RT_LIB_REPORT_AXIS_H

#include "Units.h"

#include <vector>

namespace phantom::rt::report {

struct Tick {
  double value;
  std::string label; ///< empty: a mark only
};

/// Where the values of a chart are along one of its sides.
struct Axis {
  double low = 0, high = 1; ///< low < high
  bool isLog = false;       ///< then low > 0
  Scale scale;
  std::vector<Tick> ticks;

  /// From 0 at `low` to 1 at `high`.
  double place(double value) const;
};

enum class AxisKind {
  Exact,    ///< ends where the values do; starts at 0 if they start near it
  Fit,      ///< around the values, up to round numbers
  FromZero, ///< from 0 up to a round number; values are not negative
  FitOrLog, ///< as Fit; logarithmic where values are positive and span more than a decade
};

/// The axis for values in `low..high`, with ticks at round numbers. Any finite values up to 1e300 will do.
Axis makeAxis(double low, double high, Unit unit, AxisKind kind);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_AXIS_H
