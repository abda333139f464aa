//===- Table.cpp - Tables of runs -----------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Table.h"

#include "Chart.h"
#include "Html.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

using namespace llvm;

namespace phantom::rt::report {

void Table::beginRow(StringRef name) { rows.push_back({name.str(), {}, {}}); }

void Table::add(StringRef text) { rows.back().cells.push_back({escapeHtml(text), std::nullopt, "text"}); }

void Table::add(double value, Unit unit) {
  rows.back().cells.push_back({formatValue(value, unit), value, ""});
}

void Table::add(std::optional<double> value, Unit unit, const Twine &why) {
  if (value)
    return add(*value, unit);
  Row &row = rows.back();
  row.missing[why.str()].push_back(columns[row.cells.size() + 1]);
  row.cells.push_back({"not measured", std::nullopt, "missing"});
}

void Table::addNothingMore(StringRef text) {
  std::vector<Cell> &cells = rows.back().cells;
  cells.push_back({text.str(), std::nullopt, "missing"});
  while (cells.size() + 1 < columns.size())
    cells.push_back({"–", std::nullopt, "missing"});
}

static std::string classed(StringRef kind) { return kind.empty() ? "" : (" class=\"" + kind + "\"").str(); }

void Table::writeHead(raw_ostream &out) const {
  out << "<caption" << classed(captionKind == Caption::Hidden ? "hidden" : "") << '>' << escapeHtml(caption)
      << "</caption>\n<thead><tr>";
  for (auto [index, column] : enumerate(columns)) {
    const bool isText =
        index > 0 && any_of(rows, [&](const Row &row) { return row.cells[index - 1].kind == "text"; });
    out << "<th scope=\"col\"" << classed(isText ? "text" : "") << '>' << column << "</th>";
  }
  out << "</tr></thead>\n";
}

/// Runs that miss the same for the same reason share a line.
void Table::writeReasons(raw_ostream &out) const {
  std::map<std::string, std::vector<StringRef>> runs;
  for (const Row &row : rows)
    for (const auto &[why, in] : row.missing)
      runs[join(in, ", ") + ": " + why].push_back(row.name);
  if (runs.empty())
    return;
  out << "<ul class=\"reasons\">\n";
  for (const auto &[reason, of] : runs) {
    const bool isOfAll = of.size() > 1 && of.size() == rows.size();
    out << "<li>" << escapeHtml(reason) << " <i>(" << escapeHtml(isOfAll ? "all runs" : join(of, ", "))
        << ")</i></li>\n";
  }
  out << "</ul>\n";
}

void Table::write(raw_ostream &out) const {
  out << "<div class=\"table\"><table>\n";
  writeHead(out);
  out << "<tbody>\n";
  for (auto [index, row] : enumerate(rows)) {
    out << "<tr><th scope=\"row\">";
    writeSwatch(out, index);
    out << escapeHtml(row.name) << "</th>";
    for (const Cell &cell : row.cells) {
      out << "<td" << classed(cell.kind) << '>';
      if (cell.value)
        out << "<data value=\"" << format("%.17g", *cell.value) << "\">" << cell.text << "</data>";
      else
        out << cell.text;
      out << "</td>";
    }
    out << "</tr>\n";
  }
  out << "</tbody></table></div>\n";
  writeReasons(out);
}

} // namespace phantom::rt::report
