//===- RunLog.h - The log of a run, by column -------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_RUNLOG_H
#define PHANTOM_RT_LIB_REPORT_RUNLOG_H

#include "phantom-rt/DataSet.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace phantom::rt::report {

/// What a log may say about a step.
enum class Column {
  Loss,
  GradNorm,
  LearningRate,
  SamplesPerSecond,
  StepSeconds,
  CommBytes,
  CommSeconds,
  Energy,
  ModelEnergy,
  EvalLoss,
  EvalAccuracy,
};
constexpr size_t kColumns = size_t(Column::EvalAccuracy) + 1;

/// The log of a run, by column: the value of each step, NaN where it was not measured. The steps follow one
/// another, and every value is finite and at most 1e300, so that sums over a run are finite as well.
struct RunLog {
  std::string name, path;
  int64_t firstStep = 1;
  std::array<std::vector<double>, kColumns> columns;
  std::string energyReason; ///< why no energy was measured, where that is so
  bool cutShort = false;    ///< the last line was not written whole, and is left out

  size_t steps() const { return of(Column::Loss).size(); }
  int64_t lastStep() const { return firstStep + int64_t(steps()) - 1; }
  llvm::ArrayRef<double> of(Column column) const { return columns[size_t(column)]; }
  /// In how many steps it was measured.
  size_t count(Column column) const;
  bool isWhole(Column column) const { return count(column) == steps(); }
  /// Why the column is not whole, for people.
  std::string whyMissing(Column column) const;
};

/// Reads the log of a run; errors name the file, the line and what is wrong.
llvm::Expected<RunLog> readRunLog(llvm::StringRef path);

/// The names of the runs: those given, and for others the file's stem, with its folder where stems are equal,
/// and a number where those are, too. Two equal names given are an error.
llvm::Expected<std::vector<std::string>> nameRuns(llvm::ArrayRef<NamedFile> logs);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_RUNLOG_H
