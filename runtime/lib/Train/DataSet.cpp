//===- DataSet.cpp - Rows of .npy files for a program's inputs and targets ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/DataSet.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/HostData.h"
#include "phantom-rt/Npy.h"
#include "llvm/Support/Format.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

int64_t classCount(const Program &program) {
  if (program.classes > 0)
    return program.classes;
  for (const Function &function : program.functions)
    for (const Result &result : function.results)
      if (result.role == Role::Output && !result.type.shape.empty())
        return result.type.shape.back();
  return 0;
}

//===----------------------------------------------------------------------===//
// Checks of values
//===----------------------------------------------------------------------===//

/// Row `row` of the data that `label` names.
static Error badValue(StringRef label, int64_t row, const Twine &why) {
  return makeError(label + ": row " + Twine(row) + " " + why);
}

static Error checkClasses(StringRef label, const FileTensor &tensor, int64_t classes) {
  const int64_t count = tensor.elements(), perRow = tensor.shape[0] ? count / tensor.shape[0] : 1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::I64, &value,
                    1);
    if (value < 0 || value >= classes)
      return badValue(label, i / perRow,
                      "has the target " + Twine(value) + ", but the model has " + Twine(classes) +
                          " classes, 0 to " + Twine(classes - 1));
  }
  return Error::success();
}

static Error checkProbabilities(StringRef label, const FileTensor &tensor) {
  const int64_t count = tensor.elements(), perRow = tensor.shape[0] ? count / tensor.shape[0] : 1;
  for (int64_t i = 0; i < count; ++i) {
    double value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::F64, &value,
                    1);
    const bool fits = value >= 0 && value <= 1; // false for NaN
    if (!fits) {
      std::string text;
      raw_string_ostream(text) << format("%g", value);
      return badValue(label, i / perRow,
                      "has the target " + text + ", but the BCE loss needs values from 0 to 1");
    }
  }
  return Error::success();
}

Error checkIndices(StringRef label, const FileTensor &tensor, const Argument &argument) {
  const int64_t limit = argument.indexed;
  for (int64_t i = 0; limit && i < tensor.elements(); ++i) {
    int64_t value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::I64, &value,
                    1);
    if (value < -limit || value >= limit)
      return makeError(label + ": element " + Twine(i) + " is the index " + Twine(value) +
                       ", but the input '" + argument.name + "' takes indices from " + Twine(-limit) +
                       " to " + Twine(limit - 1));
  }
  return Error::success();
}

//===----------------------------------------------------------------------===//
// DataSet
//===----------------------------------------------------------------------===//

static std::string inputNames(const Function &function) {
  std::string names;
  for (const Argument &argument : function.arguments)
    if (argument.role == Role::Input)
      names += (names.empty() ? "'" : ", '") + argument.name + "'";
  return names;
}

Error DataSet::addColumn(const Program &program, const Function &function, size_t index, std::string label,
                         FileTensor tensor) {
  const Argument &argument = function.arguments[index];
  if (tensor.shape.empty())
    return makeError(label + " holds a scalar; a first dimension of rows is needed");

  Column column{std::move(label), std::move(tensor), index, argument.type.element, 1};
  const FileTensor &data = column.tensor;
  int64_t fileWidth = 1;
  for (size_t dim = 1; dim < data.shape.size(); ++dim)
    fileWidth *= data.shape[dim];
  column.width = argument.type.elements() / program.batch;
  const bool target = argument.role == Role::Target;
  std::string what = target ? "the targets" : "the input '" + argument.name + "'";
  if (fileWidth != column.width)
    return makeError(column.label + " has shape " + shapeText(data.shape) + ", so " + Twine(fileWidth) +
                     " values per row, but " + what + " of the model " + (target ? "need " : "needs ") +
                     Twine(column.width));

  const bool classes = target && program.loss == "cross-entropy";
  if (!convertElements(data.element, data.bytes, column.element, nullptr, 0))
    return makeError(column.label + " holds " + typeName(data.element) + ", but " + what +
                     (target ? " need " : " needs ") + typeName(column.element) +
                     (classes ? "; save class numbers with an integer dtype" : ""));
  if (Error error = checkIndices(column.label, data, argument))
    return error;
  if (classes)
    if (int64_t count = classCount(program))
      if (Error error = checkClasses(column.label, data, count))
        return error;
  if (target && program.loss == "bce")
    if (Error error = checkProbabilities(column.label, data))
      return error;

  if (!columns.empty() && data.shape[0] != rowCount)
    return makeError(column.label + " has " + Twine(data.shape[0]) + " rows, but " + columns[0].label +
                     " has " + Twine(rowCount));
  rowCount = data.shape[0];
  columns.push_back(std::move(column));
  return Error::success();
}

Expected<std::vector<std::optional<size_t>>> matchInputs(ArrayRef<GivenInput> given,
                                                         const Function &function) {
  std::vector<std::optional<size_t>> matched(function.arguments.size());
  std::vector<bool> used(given.size());
  const int64_t modelInputs =
      count_if(function.arguments, [](const Argument &argument) { return argument.role == Role::Input; });
  for (size_t i = 0; i < function.arguments.size(); ++i) {
    const Argument &argument = function.arguments[i];
    if (argument.role != Role::Input)
      continue;
    auto *found = find_if(given, [&](const GivenInput &input) {
      return input.name == argument.name || (input.name.empty() && modelInputs == 1);
    });
    if (found == given.end())
      return makeError("no data is given for the model's input '" + argument.name + "'");
    matched[i] = size_t(found - given.begin());
    used[*matched[i]] = true;
  }
  for (size_t i = 0; i < used.size(); ++i)
    if (!used[i])
      return makeError(given[i].label + " is not used: " +
                       (modelInputs ? "the model's inputs are " + inputNames(function)
                                    : std::string("the model has no inputs")));
  return matched;
}

Expected<std::vector<std::string>> matchFiles(const DataFiles &files, const Function &function) {
  std::vector<GivenInput> given;
  for (const NamedFile &file : files.inputs)
    given.push_back({file.name, "'" + file.path + "'"});
  auto matched = matchInputs(given, function);
  if (!matched)
    return matched.takeError();
  std::vector<std::string> paths(function.arguments.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    if ((*matched)[i])
      paths[i] = files.inputs[*(*matched)[i]].path;
    if (function.arguments[i].role != Role::Target)
      continue;
    if (files.targets.empty())
      return makeError("no targets are given; this needs a .npy file of targets");
    paths[i] = files.targets;
  }
  return paths;
}

Expected<DataSet> DataSet::open(const DataFiles &files, const Program &program, const Function &function) {
  DataSet data;
  Expected<std::vector<std::string>> paths = matchFiles(files, function);
  if (!paths)
    return paths.takeError();
  for (size_t i = 0; i < paths->size(); ++i) {
    const std::string &path = (*paths)[i];
    if (path.empty())
      continue;
    Expected<FileTensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    if (Error error = data.addColumn(program, function, i, "'" + path + "'", std::move(*tensor)))
      return error;
  }
  if (data.rowCount == 0)
    return makeError((data.columns.empty() ? Twine("the model has no inputs")
                                           : Twine(data.columns[0].label) + " has no rows"));
  return data;
}

Expected<DataSet> DataSet::view(const HostData &host, const Program &program, const Function &function) {
  if (host.rows < 1)
    return makeError(Twine(host.rows) + " rows are given; at least one is needed");
  auto matched = matchHostData(host, function);
  if (!matched)
    return matched.takeError();
  DataSet data;
  for (const MatchedArray &array : *matched) {
    const TensorType &type = function.arguments[array.argument].type;
    // A batch fits the address space, so a row of it does; any number of rows need not.
    const int64_t width = type.elements() / program.batch;
    std::optional<int64_t> elements = checkedElements({host.rows, width}, byteWidth(type.element));
    if (!elements || *elements * byteWidth(type.element) != int64_t(array.bytes.size()))
      return makeError(array.label + " has " + Twine(array.bytes.size()) + " bytes, but " + Twine(host.rows) +
                       " rows of " + Twine(width) + " values of " + typeName(type.element) + " are needed");
    FileTensor tensor{storageType(type.element), {host.rows, width}, array.bytes.data(), nullptr};
    if (Error error = data.addColumn(program, function, array.argument, array.label, std::move(tensor)))
      return error;
  }
  if (data.columns.empty())
    return makeError("the model has no inputs");
  return data;
}

void DataSet::copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow) const {
  for (const Column &column : columns)
    convertElements(column.tensor.element,
                    column.tensor.bytes + row * column.width * byteWidth(column.tensor.element),
                    column.element,
                    instance.argument(column.argument) + batchRow * column.width * byteWidth(column.element),
                    column.width);
}

void DataSet::clearRow(FunctionInstance &instance, int64_t batchRow) const {
  for (const Column &column : columns) {
    const int64_t bytes = column.width * byteWidth(column.element);
    std::memset(instance.argument(column.argument) + batchRow * bytes, 0, bytes);
  }
}

} // namespace phantom::rt
