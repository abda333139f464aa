//===- Page.cpp - A page that compares runs -------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Page.h"

#include "Html.h"
#include "ReportAssets.h"

#include "phantom-rt/Version.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/SHA256.h"

#include <algorithm>

using namespace llvm;

namespace phantom::rt::report {

/// Of all lines of a chart together, so that a page with many runs stays small.
static constexpr size_t kPointsPerChart = 3000, kPointsPerLine = 400;

/// Browsers load nothing for this page and run no script but its own, whatever text is in it.
static std::string securityPolicy() {
  const StringRef script = kReportScript;
  const auto hash = SHA256::hash(ArrayRef(script.bytes_begin(), script.size()));
  return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
         encodeBase64(hash) + "'; base-uri 'none'; form-action 'none'";
}

static void writeHead(raw_ostream &out) {
  out << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      << "<meta http-equiv=\"Content-Security-Policy\" content=\"" << securityPolicy() << "\">\n"
      << "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      << "<meta name=\"color-scheme\" content=\"light dark\">\n"
      << "<link rel=\"icon\" href=\"data:,\">\n<title>Training report</title>\n<style>\n"
      << kReportStyle << "</style>\n</head>\n<body>\n";
}

static std::string counted(size_t count, StringRef what) {
  return formatValue(double(count), Unit::Count) + " " + what.str() + (count == 1 ? "" : "s");
}

static void writeHeader(raw_ostream &out, const Page &page) {
  size_t steps = 0;
  for (const Run &run : page.runs)
    steps += run.log.steps();
  out << "<header><h1>Training report</h1><p>" << counted(page.runs.size(), "run") << ", "
      << counted(steps, "step") << "</p></header>\n<main>\n";
}

static void writeLegend(raw_ostream &out, const Page &page) {
  out << "<ul class=\"legend\" aria-label=\"Runs\">\n";
  for (auto [index, run] : enumerate(page.runs)) {
    out << "<li data-run=\"" << index << "\">";
    writeSwatch(out, index);
    out << "<span>" << escapeHtml(run.log.name) << "</span></li>\n";
  }
  out << "</ul>\n";
}

static void writeCharts(raw_ostream &out, ArrayRef<Chart> charts, size_t points) {
  out << "<div class=\"charts\">\n";
  for (const Chart &chart : charts)
    writeChart(out, chart, points);
  out << "</div>\n";
}

static void writeNotes(raw_ostream &out, const Page &page) {
  out << "<section><h2>How to read this page</h2>\n<ul>\n";
  for (const std::string &note : page.notes)
    out << "<li>" << escapeHtml(note) << "</li>\n";
  out << "<li>The loss of a step is that of its batch, before the update.</li>\n"
         "<li>Time in steps is the sum of the steps' seconds: compiling, loading, evaluation and checkpoints "
         "are not in it. "
         "The median step leaves out the first one.</li>\n"
         "<li>Bytes are those that the rank with the most has received, as counted; energy is that of all "
         "ranks together.</li>\n"
         "<li>Modelled energy comes from a formula, measured energy from a counter: never compare one with "
         "the other.</li>\n"
         "<li>The share of waits is the part of the time in steps that a rank spends inside waits for "
         "exchanges, as mean of all ranks.</li>\n"
         "</ul></section>\n";
}

void writePage(raw_ostream &out, const Page &page) {
  const size_t points = std::min(kPointsPerLine, kPointsPerChart / page.runs.size());
  writeHead(out);
  writeHeader(out, page);
  writeLegend(out, page);
  out << "<section><h2>Loss</h2>\n";
  writeLossTable(out, page);
  if (page.targetLoss)
    writeTargetTable(out, page);
  writeCharts(out, lossCharts(page), points);
  out << "</section>\n<section><h2>Cost</h2>\n";
  writeCostTable(out, page);
  writeCharts(out, costCharts(page), points);
  out << "</section>\n<section><h2>Optimizer</h2>\n";
  writeCharts(out, optimizerCharts(page), points);
  out << "</section>\n<section><h2>Runs</h2>\n";
  writeRunTable(out, page);
  out << "</section>\n";
  writeNotes(out, page);
  out << "</main>\n<footer>phantom-run " << version() << "</footer>\n<script>" << kReportScript
      << "</script>\n</body>\n</html>\n";
}

} // namespace phantom::rt::report
