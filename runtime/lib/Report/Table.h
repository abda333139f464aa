//===- Table.h - Tables of runs ---------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_TABLE_H
#define PHANTOM_RT_LIB_REPORT_TABLE_H

#include "Units.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

#include <map>
#include <optional>
#include <vector>

namespace phantom::rt::report {

/// A row per run. What is missing is listed below it, with the reason.
class Table {
public:
  /// A caption that repeats the heading above it is hidden: there for those who hear the page.
  enum class Caption { Shown, Hidden };

  /// The first column is that of the names.
  Table(llvm::StringRef caption, Caption captionKind, llvm::ArrayRef<llvm::StringRef> columns)
      : caption(caption), captionKind(captionKind), columns(columns) {}

  /// Rows are in the order of the runs; what is added next are its cells.
  void beginRow(llvm::StringRef name);
  void add(llvm::StringRef text);
  void add(double value, Unit unit);
  /// `why`: why it is missing, if it is.
  void add(std::optional<double> value, Unit unit, const llvm::Twine &why);
  /// Fills the row: there is nothing more to say about the run than `text`.
  void addNothingMore(llvm::StringRef text);

  void write(llvm::raw_ostream &out) const;

private:
  struct Cell {
    std::string text;
    std::optional<double> value; ///< what the text shows, in seconds, bytes, joules, …
    llvm::StringRef kind;        ///< "text", "missing" or, of numbers, empty
  };
  struct Row {
    std::string name;
    std::vector<Cell> cells;
    std::map<std::string, std::vector<llvm::StringRef>> missing; ///< by reason, the columns
  };
  void writeHead(llvm::raw_ostream &out) const;
  void writeReasons(llvm::raw_ostream &out) const;

  std::string caption;
  Caption captionKind;
  std::vector<llvm::StringRef> columns;
  std::vector<Row> rows;
};

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_TABLE_H
