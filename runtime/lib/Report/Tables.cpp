//===- Tables.cpp - The tables of a page ----------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Page.h"
#include "Table.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::rt::report {

/// Why there is no number that is computed from these columns.
static std::string whyMissing(const RunLog &log, std::initializer_list<Column> from) {
  for (Column column : from)
    if (!log.isWhole(column))
      return log.whyMissing(column);
  return "the steps took no time";
}

void writeLossTable(raw_ostream &out, const Page &page) {
  Table table("Loss", Table::Caption::Hidden,
              {"run", "steps", "first loss", "final loss", "best loss", "at step", "final held-out loss",
               "best held-out loss", "final held-out accuracy"});
  for (const Run &run : page.runs) {
    const Totals &totals = run.totals;
    table.beginRow(run.log.name);
    table.add(double(run.log.steps()), Unit::Count);
    table.add(totals.firstLoss, Unit::Number);
    table.add(totals.finalLoss, Unit::Number);
    table.add(totals.bestLoss, Unit::Number);
    table.add(double(totals.bestStep), Unit::Count);
    // The summary's is of the model after the last step.
    auto orSummary = [&](Amount logged, std::optional<double> RunSummary::*value) {
      return run.summary && *run.summary.*value ? *run.summary.*value : logged;
    };
    const std::string noLoss = whyMissing(run.log, {Column::EvalLoss});
    table.add(orSummary(totals.finalEvalLoss, &RunSummary::evalLoss), Unit::Number, noLoss);
    table.add(totals.bestEvalLoss, Unit::Number, noLoss);
    table.add(orSummary(totals.finalEvalAccuracy, &RunSummary::evalAccuracy), Unit::Share,
              whyMissing(run.log, {Column::EvalAccuracy}));
  }
  table.write(out);
}

void writeTargetTable(raw_ostream &out, const Page &page) {
  Table table("Cost of a training loss of " + formatNumber(*page.targetLoss, 6), Table::Caption::Shown,
              {"run", "steps", "time in steps", "bytes, per rank", "modelled energy", "measured energy"});
  for (const Run &run : page.runs) {
    table.beginRow(run.log.name);
    const TargetCost cost = costOfTarget(run.log, *page.targetLoss);
    if (!cost.step) {
      table.addNothingMore("not reached");
      continue;
    }
    auto add = [&](Amount amount, Unit unit, Column from) {
      table.add(amount, unit,
                run.log.firstStep == 1 ? whyMissing(run.log, {from})
                                       : "the log begins with step " + std::to_string(run.log.firstStep));
    };
    table.add(double(*cost.step), Unit::Count);
    add(cost.seconds, Unit::Seconds, Column::StepSeconds);
    add(cost.bytes, Unit::Bytes, Column::CommBytes);
    add(cost.modelJoules, Unit::Joules, Column::ModelEnergy);
    add(cost.joules, Unit::Joules, Column::Energy);
  }
  table.write(out);
}

void writeCostTable(raw_ostream &out, const Page &page) {
  Table table("Cost", Table::Caption::Hidden,
              {"run", "time in steps", "median step", "samples/s", "bytes/step, per rank", "bytes, per rank",
               "modelled energy", "measured energy", "share of waits"});
  for (const Run &run : page.runs) {
    const Totals &totals = run.totals;
    auto add = [&](Amount amount, Unit unit, std::initializer_list<Column> from) {
      table.add(amount, unit, whyMissing(run.log, from));
    };
    table.beginRow(run.log.name);
    add(totals.seconds, Unit::Seconds, {Column::StepSeconds});
    add(totals.medianStepSeconds, Unit::Seconds, {Column::StepSeconds});
    add(totals.samplesPerSecond, Unit::PerSecond, {Column::SamplesPerSecond, Column::StepSeconds});
    add(totals.bytesPerStep, Unit::Bytes, {Column::CommBytes});
    add(totals.bytes, Unit::Bytes, {Column::CommBytes});
    add(totals.modelJoules, Unit::Joules, {Column::ModelEnergy});
    add(totals.joules, Unit::Joules, {Column::Energy});
    add(totals.commShare, Unit::Share, {Column::CommSeconds, Column::StepSeconds});
  }
  table.write(out);
}

void writeRunTable(raw_ostream &out, const Page &page) {
  SmallVector<StringRef> columns = {"run", "log", "first step", "last step"};
  const bool hasSummaries = any_of(page.runs, [](const Run &run) { return run.summary.has_value(); });
  if (hasSummaries)
    append_range(columns, std::initializer_list<StringRef>{"strategy", "ranks", "ghost width", "batch size",
                                                           "parameters", "work/step", "peak memory", "end"});
  Table table("Runs", Table::Caption::Hidden, columns);
  for (const Run &run : page.runs) {
    table.beginRow(run.log.name);
    table.add(run.log.path);
    table.add(double(run.log.firstStep), Unit::Count);
    table.add(double(run.log.lastStep()), Unit::Count);
    if (!hasSummaries)
      continue;
    if (!run.summary) {
      table.addNothingMore("no summary");
      continue;
    }
    const RunSummary &summary = *run.summary;
    const char *why = "not in the summary";
    table.add(summary.strategy);
    table.add(summary.ranks, Unit::Count, why);
    table.add(summary.ghostWidth, Unit::Count, why);
    table.add(summary.batchSize, Unit::Count, why);
    table.add(summary.parameters, Unit::Count, why);
    table.add(summary.flopsPerStep, Unit::Flops, why);
    table.add(summary.peakBytes, Unit::Bytes, why);
    table.add(summary.stopReason);
  }
  table.write(out);
}

} // namespace phantom::rt::report
