//===- DataSet.h - Rows of data for inputs and targets ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_DATASET_H
#define PHANTOM_RT_DATASET_H

#include "phantom-rt/DataFiles.h"
#include "phantom-rt/Runtime.h"

namespace phantom::rt {

struct HostData;

/// The rows of one data set, in mapped files or in memory, checked against the
/// arguments of a function: names, row sizes, element types, equal numbers of rows, and the
/// values of class targets (and of BCE targets, which are probabilities). The files of an argument
/// have rows of one shape and elements of one type.
class DataSet {
public:
  static llvm::Expected<DataSet> open(const DataFiles &files, const Program &program,
                                      const Function &function);

  /// The memory must outlive the data set.
  static llvm::Expected<DataSet> view(const HostData &data, const Program &program, const Function &function);

  int64_t rows() const { return rowCount; }

  /// What messages call the data of the first input.
  std::string label() const { return columns.front().label(); }

  /// Copies data row `row` to row `batchRow` of the instance's arguments,
  /// converting to their types. The instance is of the function given to open.
  void copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow, ForRun run = ForRun::This) const;

  /// Gives the instance a batch of rows from data row `first` on; behind the last row it is padded with
  /// zeros. Every rank calls it on its thread: what it can read in place is lent to it, and of the rest it
  /// copies its share of the rows for all ranks here.
  void provideBatch(int64_t first, Runtime &runtime, FunctionInstance &instance, int64_t rank) const;

  /// Takes back what was lent.
  void takeBack(FunctionInstance &instance, int64_t rank) const;

private:
  /// Rows that lie in one file, or in memory.
  struct Part {
    std::string label; ///< names it in messages
    FileTensor tensor;
    int64_t firstRow = 0;
  };
  /// The rows of one argument.
  struct Column {
    std::vector<Part> parts;
    size_t argument = 0;
    ElementType element = ElementType::F32;
    int64_t width = 0; ///< elements of a row
    std::optional<float> scale;

    std::string label() const;
    const Part &partOf(int64_t row) const;
    /// Where the values of `count` rows, from row `first` on, lie as the argument has them; null: nowhere.
    const std::byte *inPlace(int64_t first, int64_t count) const;
    void copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow, ForRun run) const;
  };

  llvm::Error addColumn(const Program &program, const Function &function, size_t argument,
                        std::optional<float> scale, std::vector<Part> parts);

  std::vector<Column> columns;
  int64_t rowCount = 0;
};

/// Checks that the values of an input of indices are in its range; `label` names the data.
llvm::Error checkIndices(llvm::StringRef label, const FileTensor &tensor, const Argument &argument);

/// The number of classes: the program's, or the last dimension of the model's
/// output; 0 if no function of the program returns it.
int64_t classCount(const Program &program);

} // namespace phantom::rt

#endif // PHANTOM_RT_DATASET_H
