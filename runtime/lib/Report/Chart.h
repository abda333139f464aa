//===- Chart.h - Line charts in SVG -----------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_CHART_H
#define PHANTOM_RT_LIB_REPORT_CHART_H

#include "Axis.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>

namespace phantom::rt::report {

/// The line of one run; `y` is NaN where there is no value.
struct Series {
  size_t run = 0;
  std::string name;
  std::vector<double> x, y;
};

struct Chart {
  std::string title, xTitle;
  Unit xUnit = Unit::Count, yUnit = Unit::Number;
  AxisKind yKind = AxisKind::Fit;
  bool isNoisy = false;         ///< long lines are drawn thin, with their running median
  std::optional<double> target; ///< a level to mark, if it is near the lines
  std::vector<Series> series;
  std::vector<std::string> absent; ///< the runs that are not in it, and why
};

/// Runs that can be told apart: six colours, each with four kinds of lines.
constexpr size_t kMaxRuns = 24;

/// A short line as those of a run are, for legends.
void writeSwatch(llvm::raw_ostream &out, size_t run);

/// Writes a figure, with an image in SVG if a run is in it. Lines have at most about 2 * `points` points.
void writeChart(llvm::raw_ostream &out, const Chart &chart, size_t points);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_CHART_H
