//===- Report.cpp - The command line of phantom-run report ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Report.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"

#include <cmath>

using namespace llvm;

namespace phantom::run {
namespace {

cl::SubCommand reportCommand("report", "write a page that compares training runs");
cl::OptionCategory reportFlags("Report");

cl::list<std::string> logs(cl::Positional, cl::desc("<[NAME=]log.jsonl> …"), cl::sub(reportCommand));
cl::opt<std::string> outputFile("o", cl::desc("the page to write"), cl::value_desc("F.html"),
                                cl::sub(reportCommand), cl::cat(reportFlags));
cl::opt<std::string>
    targetLoss("target-loss", cl::desc("also what the first step with a training loss not above F had cost"),
               cl::value_desc("F"), cl::sub(reportCommand), cl::cat(reportFlags));
cl::list<std::string> summaries("summary-of", cl::CommaSeparated,
                                cl::desc("what train --summary wrote about a run"),
                                cl::value_desc("NAME=F.json[,...]"), cl::sub(reportCommand),
                                cl::cat(reportFlags));

/// "NAME=FILE" or "FILE"; the name of a file that exists may have a "=" in it.
rt::NamedFile namedFile(StringRef text) {
  auto [name, path] = text.split('=');
  if (path.empty() || sys::fs::exists(text))
    return {"", text.str()};
  return {name.str(), path.str()};
}

} // namespace

bool isReport() { return bool(reportCommand); }

Expected<rt::ReportOptions> readReportFlags() {
  rt::ReportOptions options;
  if (logs.empty())
    return createStringError("name a log: phantom-run report log.jsonl -o report.html");
  if (outputFile.empty())
    return createStringError("-o is missing: name the .html file to write");
  for (const std::string &log : logs)
    options.logs.push_back(namedFile(log));
  for (const std::string &summary : summaries)
    options.summaries.push_back(namedFile(summary));
  options.outputFile = outputFile;
  if (targetLoss.getNumOccurrences() > 0) {
    double value = 0;
    if (StringRef(targetLoss).getAsDouble(value) || !std::isfinite(value))
      return createStringError("--target-loss " + targetLoss + ": not a number");
    options.targetLoss = value;
  }
  return options;
}

} // namespace phantom::run
