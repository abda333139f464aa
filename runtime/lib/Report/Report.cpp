//===- Report.cpp - Pages that compare training runs ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Report.h"

#include "Page.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace phantom::rt {

using namespace report;

/// The run that a summary is of; without a name, the only one.
static Expected<Run *> runOf(const NamedFile &summary, std::vector<Run> &runs) {
  if (summary.name.empty() && runs.size() == 1)
    return &runs.front();
  auto found = find_if(runs, [&](const Run &run) { return run.log.name == summary.name; });
  if (found == runs.end()) {
    auto names = map_range(runs, [](const Run &run) { return run.log.name; });
    return makeError("summary '" + summary.path + "': " +
                     (summary.name.empty() ? "say which run it is of: NAME=" + summary.path
                                           : "there is no run '" + summary.name + "'") +
                     "; the runs are " + join(names.begin(), names.end(), ", "));
  }
  if (found->summary)
    return makeError("the run '" + found->log.name + "' has two summaries; name one");
  return &*found;
}

static void addNotes(Page &page) {
  for (const Run &run : page.runs) {
    const RunLog &log = run.log;
    if (log.cutShort)
      page.notes.push_back("'" + log.path + "': the last line was not written whole, and is left out");
    if (log.firstStep != 1)
      page.notes.push_back("'" + log.path + "' begins with step " + std::to_string(log.firstStep) +
                           ": its totals are of the steps that it has");
  }
}

static Expected<Page> readPage(const ReportOptions &options) {
  if (options.logs.size() > kMaxRuns)
    return makeError("a report shows at most " + Twine(kMaxRuns) + " runs; there are " +
                     Twine(options.logs.size()));
  Expected<std::vector<std::string>> names = nameRuns(options.logs);
  if (!names)
    return names.takeError();
  Page page;
  page.targetLoss = options.targetLoss;
  for (auto [file, name] : zip_equal(options.logs, *names)) {
    Expected<RunLog> log = readRunLog(file.path);
    if (!log)
      return log.takeError();
    log->name = name;
    Totals totals = totalsOf(*log);
    page.runs.push_back({std::move(*log), totals, std::nullopt});
  }
  for (const NamedFile &file : options.summaries) {
    Expected<Run *> run = runOf(file, page.runs);
    if (!run)
      return run.takeError();
    if (Error error = readRunSummary(file.path, (*run)->log).moveInto((*run)->summary))
      return error;
  }
  addNotes(page);
  return page;
}

Expected<std::vector<std::string>> writeReport(const ReportOptions &options) {
  Expected<Page> page = readPage(options);
  if (!page)
    return page.takeError();
  if (Error error = writeFileAtomically(options.outputFile, [&](raw_ostream &out) { writePage(out, *page); }))
    return error;
  return std::move(page->notes);
}

} // namespace phantom::rt
