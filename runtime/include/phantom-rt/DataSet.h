//===- DataSet.h - Rows of .npy files for a program's inputs and targets ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_DATASET_H
#define PHANTOM_RT_DATASET_H

#include "phantom-rt/HostTensor.h"
#include "phantom-rt/Runtime.h"

namespace phantom::rt {

/// A .npy file of an input or output; `name` may be empty where there is only one.
struct NamedFile {
  std::string name;
  std::string path;
};

struct DataFiles {
  std::vector<NamedFile> inputs;
  std::string targets; ///< empty for inference
};

struct HostData;

/// The rows of one data set, in mapped files or in memory, checked against the
/// arguments of a function: names, row sizes, element types, equal numbers of rows, and the
/// values of class targets (and of BCE targets, which are probabilities).
class DataSet {
public:
  static llvm::Expected<DataSet> open(const DataFiles &files, const Program &program,
                                      const Function &function);

  /// The memory must outlive the data set.
  static llvm::Expected<DataSet> view(const HostData &data, const Program &program, const Function &function);

  int64_t rows() const { return rowCount; }

  /// Copies data row `row` to row `batchRow` of the instance's arguments,
  /// converting to their types. The instance is of the function given to open.
  void copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow) const;

  /// Zeroes row `batchRow`: padding.
  void clearRow(FunctionInstance &instance, int64_t batchRow) const;

private:
  struct Column {
    std::string label; ///< names it in messages
    FileTensor tensor;
    size_t argument = 0;
    ElementType element = ElementType::F32;
    int64_t width = 0; ///< elements of a row
  };

  llvm::Error addColumn(const Program &program, const Function &function, size_t argument, std::string label,
                        FileTensor tensor);

  std::vector<Column> columns;
  int64_t rowCount = 0;
};

/// Data that somebody gives for an input: the input's name, which may be empty where there is only one, and
/// what messages call the data.
struct GivenInput {
  std::string name;
  std::string label;
};

/// The index of the data for each argument of the function; nothing where an argument takes none. An input
/// without data, or data without an input, is an error.
llvm::Expected<std::vector<std::optional<size_t>>> matchInputs(llvm::ArrayRef<GivenInput> given,
                                                               const Function &function);

/// The file of each argument of the function, in order; empty where an argument takes none. An input without
/// a file, or a file without an input, is an error.
llvm::Expected<std::vector<std::string>> matchFiles(const DataFiles &files, const Function &function);

/// Checks that the values of an input of indices are in its range; `label` names the data.
llvm::Error checkIndices(llvm::StringRef label, const FileTensor &tensor, const Argument &argument);

/// The number of classes: the program's, or the last dimension of the model's
/// output; 0 if no function of the program returns it.
int64_t classCount(const Program &program);

} // namespace phantom::rt

#endif // PHANTOM_RT_DATASET_H
