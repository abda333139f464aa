//===- Report.h - Pages that compare training runs --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_REPORT_H
#define PHANTOM_RT_REPORT_H

#include "phantom-rt/DataSet.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace phantom::rt {

struct ReportOptions {
  std::vector<NamedFile> logs;      ///< as StepLog writes them; without a name: the file's, made unique
  std::vector<NamedFile> summaries; ///< as writeSummary writes them; the name is that of a log
  std::optional<double> targetLoss; ///< training loss: the cost of the first step that is not above it
  std::string outputFile;
};

/// Writes one page of HTML that compares training runs: charts and tables, all of it in the file. The same
/// logs give the same bytes. Returns what was left out of it, one note each. Errors name the file and line.
llvm::Expected<std::vector<std::string>> writeReport(const ReportOptions &options);

} // namespace phantom::rt

#endif // PHANTOM_RT_REPORT_H
