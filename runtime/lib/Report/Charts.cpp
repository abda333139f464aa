//===- Charts.cpp - The charts of a page ----------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Page.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <numeric>

using namespace llvm;

namespace phantom::rt::report {

bool Page::any(Column column) const {
  return any_of(runs, [&](const Run &run) { return run.log.count(column) > 0; });
}

/// The number of each step.
static std::vector<double> stepsOf(const RunLog &log) {
  std::vector<double> steps(log.steps());
  std::iota(steps.begin(), steps.end(), double(log.firstStep));
  return steps;
}

/// Leaves the steps that have a value: of what is measured now and then, a line joins the points.
static void keepMeasured(Series &series) {
  size_t kept = 0;
  for (size_t i = 0; i < series.y.size(); ++i)
    if (!std::isnan(series.y[i])) {
      series.x[kept] = series.x[i];
      series.y[kept++] = series.y[i];
    }
  series.x.resize(kept);
  series.y.resize(kept);
}

/// Adds the lines of all runs that have both columns; `sumOf`: by the sum of that column, not by steps.
static void addRuns(Chart &chart, const Page &page, Column column,
                    std::optional<Column> sumOf = std::nullopt) {
  for (auto [index, run] : enumerate(page.runs)) {
    const RunLog &log = run.log;
    auto leaveOut = [&](const Twine &why) { chart.absent.push_back((log.name + ": " + why).str()); };
    if (log.count(column) == 0) {
      leaveOut("not measured, " + log.whyMissing(column));
      continue;
    }
    std::vector<double> x = sumOf ? runningSum(log.of(*sumOf)) : stepsOf(log);
    if (x.empty()) {
      leaveOut("not measured, " + log.whyMissing(*sumOf));
      continue;
    }
    if (x.back() == 0) {
      leaveOut("0 at all steps, so that it has no place here");
      continue;
    }
    chart.series.push_back({index, log.name, std::move(x), std::vector<double>(log.of(column))});
  }
}

/// Which columns of joules have a chart: what was measured, and what is modelled where some run has not been.
static std::vector<Column> joulesOf(const Page &page) {
  std::vector<Column> columns;
  if (any_of(page.runs, [](const Run &run) { return run.totals.joules.has_value(); }))
    columns.push_back(Column::Energy);
  if (any_of(page.runs, [](const Run &run) { return !run.totals.joules; }))
    columns.push_back(Column::ModelEnergy);
  return columns;
}

static std::string kindOf(Column joules) { return joules == Column::Energy ? "measured" : "modelled"; }

static Chart lossBy(const Page &page, const std::string &what, Unit unit, std::optional<Column> sumOf) {
  Chart chart;
  chart.title = "Training loss by " + what;
  chart.xTitle = what;
  chart.xUnit = unit;
  chart.yKind = AxisKind::FitOrLog;
  chart.isNoisy = true;
  chart.target = page.targetLoss;
  addRuns(chart, page, Column::Loss, sumOf);
  return chart;
}

static Chart heldOut(const Page &page, const char *title, Column column, Unit unit, AxisKind kind) {
  Chart chart;
  chart.title = title;
  chart.xTitle = "step";
  chart.yUnit = unit;
  chart.yKind = kind;
  addRuns(chart, page, column);
  for (Series &series : chart.series)
    keepMeasured(series);
  return chart;
}

std::vector<Chart> lossCharts(const Page &page) {
  std::vector<Chart> charts;
  charts.push_back(lossBy(page, "step", Unit::Count, std::nullopt));
  charts.push_back(lossBy(page, "time in steps", Unit::Seconds, Column::StepSeconds));
  charts.push_back(lossBy(page, "bytes per rank", Unit::Bytes, Column::CommBytes));
  for (Column joules : joulesOf(page))
    charts.push_back(lossBy(page, kindOf(joules) + " energy", Unit::Joules, joules));
  if (page.any(Column::EvalLoss))
    charts.push_back(
        heldOut(page, "Held-out loss by step", Column::EvalLoss, Unit::Number, AxisKind::FitOrLog));
  if (page.any(Column::EvalAccuracy))
    charts.push_back(
        heldOut(page, "Held-out accuracy by step", Column::EvalAccuracy, Unit::Share, AxisKind::Fit));
  return charts;
}

static Chart ofSteps(const Page &page, const std::string &title, Column column, Unit unit, AxisKind kind,
                     bool isNoisy) {
  Chart chart;
  chart.title = title;
  chart.xTitle = "step";
  chart.yUnit = unit;
  chart.yKind = kind;
  chart.isNoisy = isNoisy;
  addRuns(chart, page, column);
  return chart;
}

std::vector<Chart> costCharts(const Page &page) {
  std::vector<Chart> charts;
  charts.push_back(
      ofSteps(page, "Time of each step", Column::StepSeconds, Unit::Seconds, AxisKind::FitOrLog, true));
  charts.push_back(ofSteps(page, "Bytes of each step, per rank", Column::CommBytes, Unit::Bytes,
                           AxisKind::FromZero, false));
  charts.push_back(ofSteps(page, "Waits of each step, mean of ranks", Column::CommSeconds, Unit::Seconds,
                           AxisKind::FitOrLog, true));
  for (Column joules : joulesOf(page))
    charts.push_back(ofSteps(page, "Energy of each step, " + kindOf(joules), joules, Unit::Joules,
                             AxisKind::FromZero, joules == Column::Energy));
  return charts;
}

std::vector<Chart> optimizerCharts(const Page &page) {
  return {
      ofSteps(page, "Gradient norm by step", Column::GradNorm, Unit::Number, AxisKind::FitOrLog, true),
      ofSteps(page, "Learning rate by step", Column::LearningRate, Unit::Number, AxisKind::FromZero, false)};
}

} // namespace phantom::rt::report
