//===- DataSet.cpp - Rows of .npy files for a program's inputs and targets ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/DataSet.h"

#include "phantom-rt/Error.h"
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

/// Row `row` of a file, for messages.
static Error badValue(StringRef path, int64_t row, const Twine &why) {
  return makeError("'" + path + "': row " + Twine(row) + " " + why);
}

static Error checkClasses(StringRef path, const FileTensor &tensor, int64_t classes) {
  const int64_t count = tensor.elements(), perRow = tensor.shape[0] ? count / tensor.shape[0] : 1;
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::I64, &value,
                    1);
    if (value < 0 || value >= classes)
      return badValue(path, i / perRow,
                      "has the target " + Twine(value) + ", but the model has " + Twine(classes) +
                          " classes, 0 to " + Twine(classes - 1));
  }
  return Error::success();
}

static Error checkProbabilities(StringRef path, const FileTensor &tensor) {
  const int64_t count = tensor.elements(), perRow = tensor.shape[0] ? count / tensor.shape[0] : 1;
  for (int64_t i = 0; i < count; ++i) {
    double value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::F64, &value,
                    1);
    const bool fits = value >= 0 && value <= 1; // false for NaN
    if (!fits) {
      std::string text;
      raw_string_ostream(text) << format("%g", value);
      return badValue(path, i / perRow,
                      "has the target " + text + ", but the BCE loss needs values from 0 to 1");
    }
  }
  return Error::success();
}

Error checkIndices(StringRef path, const FileTensor &tensor, const Argument &argument) {
  const int64_t limit = argument.indexed;
  for (int64_t i = 0; limit && i < tensor.elements(); ++i) {
    int64_t value = 0;
    convertElements(tensor.element, tensor.bytes + i * byteWidth(tensor.element), ElementType::I64, &value,
                    1);
    if (value < -limit || value >= limit)
      return makeError("'" + path + "': element " + Twine(i) + " is the index " + Twine(value) +
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

Error DataSet::addColumn(const Program &program, const Function &function, size_t index, StringRef path) {
  const Argument &argument = function.arguments[index];
  Expected<FileTensor> tensor = readNpy(path);
  if (!tensor)
    return tensor.takeError();
  if (tensor->shape.empty())
    return makeError("'" + path + "' holds a scalar; a first dimension of rows is needed");

  Column column{path.str(), *tensor, index, argument.type.element, 1};
  int64_t fileWidth = 1;
  for (size_t dim = 1; dim < tensor->shape.size(); ++dim)
    fileWidth *= tensor->shape[dim];
  column.width = argument.type.elements() / program.batch;
  const bool target = argument.role == Role::Target;
  std::string what = target ? "the targets" : "the input '" + argument.name + "'";
  if (fileWidth != column.width)
    return makeError("'" + path + "' has shape " + shapeText(tensor->shape) + ", so " + Twine(fileWidth) +
                     " values per row, but " + what + " of the model " + (target ? "need " : "needs ") +
                     Twine(column.width));

  const bool classes = target && program.loss == "cross-entropy";
  if (!convertElements(tensor->element, tensor->bytes, column.element, nullptr, 0))
    return makeError("'" + path + "' holds " + typeName(tensor->element) + ", but " + what +
                     (target ? " need " : " needs ") + typeName(column.element) +
                     (classes ? "; save class numbers with an integer dtype" : ""));
  if (Error error = checkIndices(path, *tensor, argument))
    return error;
  if (classes)
    if (int64_t count = classCount(program))
      if (Error error = checkClasses(path, *tensor, count))
        return error;
  if (target && program.loss == "bce")
    if (Error error = checkProbabilities(path, *tensor))
      return error;

  if (!columns.empty() && tensor->shape[0] != rowCount)
    return makeError("'" + path + "' has " + Twine(tensor->shape[0]) + " rows, but '" + columns[0].path +
                     "' has " + Twine(rowCount));
  rowCount = tensor->shape[0];
  columns.push_back(std::move(column));
  return Error::success();
}

Expected<std::vector<std::string>> matchFiles(const DataFiles &files, const Function &function) {
  std::vector<std::string> paths(function.arguments.size());
  std::vector<bool> used(files.inputs.size());
  int64_t modelInputs = 0;
  for (const Argument &argument : function.arguments)
    modelInputs += argument.role == Role::Input;
  for (size_t i = 0; i < function.arguments.size(); ++i) {
    const Argument &argument = function.arguments[i];
    if (argument.role == Role::Input) {
      size_t file = 0;
      while (file < files.inputs.size() && files.inputs[file].name != argument.name &&
             (!files.inputs[file].name.empty() || modelInputs != 1))
        ++file;
      if (file == files.inputs.size())
        return makeError("no data file is given for the model's input '" + argument.name + "'");
      used[file] = true;
      paths[i] = files.inputs[file].path;
    } else if (argument.role == Role::Target) {
      if (files.targets.empty())
        return makeError("no targets are given; this needs a .npy file of targets");
      paths[i] = files.targets;
    }
  }
  for (size_t i = 0; i < used.size(); ++i)
    if (!used[i])
      return makeError("'" + files.inputs[i].path + "' is not used: " +
                       (modelInputs ? "the model's inputs are " + inputNames(function)
                                    : std::string("the model has no inputs")));
  return paths;
}

Expected<DataSet> DataSet::open(const DataFiles &files, const Program &program, const Function &function) {
  DataSet data;
  Expected<std::vector<std::string>> paths = matchFiles(files, function);
  if (!paths)
    return paths.takeError();
  for (size_t i = 0; i < paths->size(); ++i)
    if (!(*paths)[i].empty())
      if (Error error = data.addColumn(program, function, i, (*paths)[i]))
        return error;
  if (data.rowCount == 0)
    return makeError((data.columns.empty() ? Twine("the model has no inputs")
                                           : "'" + Twine(data.columns[0].path) + "' has no rows"));
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
