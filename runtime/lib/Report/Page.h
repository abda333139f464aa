//===- Page.h - A page that compares runs -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_PAGE_H
#define PHANTOM_RT_LIB_REPORT_PAGE_H

#include "Chart.h"
#include "RunSummary.h"
#include "Totals.h"

namespace phantom::rt::report {

struct Run {
  RunLog log;
  Totals totals;
  std::optional<RunSummary> summary;
};

/// All that a page shows.
struct Page {
  std::vector<Run> runs;
  std::optional<double> targetLoss;
  std::vector<std::string> notes;

  bool any(Column column) const;
};

/// Training loss by steps, seconds, bytes and joules, and held-out loss where there is one.
std::vector<Chart> lossCharts(const Page &page);
/// Seconds, bytes, joules and waits of each step.
std::vector<Chart> costCharts(const Page &page);
/// Gradient norm and learning rate.
std::vector<Chart> optimizerCharts(const Page &page);

void writeLossTable(llvm::raw_ostream &out, const Page &page);
void writeTargetTable(llvm::raw_ostream &out, const Page &page);
void writeCostTable(llvm::raw_ostream &out, const Page &page);
void writeRunTable(llvm::raw_ostream &out, const Page &page);

void writePage(llvm::raw_ostream &out, const Page &page);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_PAGE_H
