//===- DataSet.cpp - Rows of data for a program's inputs and targets ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/DataSet.h"

#include "NumberText.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/HostData.h"
#include "phantom-rt/Npy.h"

#include <algorithm>
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

/// A class number; one that is too large for an i64 is no class of any model.
static int64_t classAt(const FileTensor &tensor, int64_t index) {
  const std::byte *source = tensor.bytes + index * byteWidth(tensor.element);
  int64_t value = 0;
  if (convertElements(tensor.element, source, ElementType::I64, &value, 1))
    return value;
  uint64_t wide = 0;
  convertElements(tensor.element, source, ElementType::U64, &wide, 1);
  return int64_t(std::min<uint64_t>(wide, INT64_MAX));
}

static Error checkClasses(StringRef label, const FileTensor &tensor, int64_t classes) {
  const int64_t count = tensor.elements(), perRow = tensor.shape[0] ? count / tensor.shape[0] : 1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = classAt(tensor, i);
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
    if (!fits)
      return badValue(label, i / perRow,
                      "has the target " + numberText(value) + ", but the BCE loss needs values from 0 to 1");
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

std::string DataSet::Column::label() const {
  const size_t others = parts.size() - 1;
  if (others == 0)
    return parts.front().label;
  return parts.front().label + " with " + std::to_string(others) +
         (others == 1 ? " more file" : " more files");
}

const DataSet::Part &DataSet::Column::partOf(int64_t row) const {
  auto behind = upper_bound(parts, row, [](int64_t row, const Part &part) { return row < part.firstRow; });
  return *std::prev(behind);
}

/// Checks one file or array by itself.
static Error checkPart(StringRef label, const FileTensor &data, const Program &program,
                       const Argument &argument, std::optional<float> scale) {
  if (data.shape.empty())
    return makeError(label + " holds a scalar; a first dimension of rows is needed");
  int64_t fileWidth = 1;
  for (size_t dim = 1; dim < data.shape.size(); ++dim)
    fileWidth *= data.shape[dim];
  const int64_t width = argument.type.elements() / program.batch;
  const bool target = argument.role == Role::Target;
  if (fileWidth != width)
    return makeError(label + " has shape " + shapeText(data.shape) + ", so " + Twine(fileWidth) +
                     " values per row, but " +
                     (target ? "the targets" : "the input '" + argument.name + "'") + " of the model " +
                     (target ? "need " : "needs ") + Twine(width));
  if (data.shape[0] == 0)
    return makeError(label + " has no rows");
  if (Error error = checkElement(label, data.element, argument, scale))
    return error;
  if (Error error = checkIndices(label, data, argument))
    return error;
  if (target && !isFloat(argument.type.element)) {
    const int64_t classes = classCount(program);
    return checkClasses(label, data, classes ? classes : INT64_MAX);
  }
  return target && program.loss == "bce" ? checkProbabilities(label, data) : Error::success();
}

/// Checks that a file's rows are like those of the first one.
static Error checkAlike(StringRef firstLabel, const FileTensor &first, StringRef label,
                        const FileTensor &data) {
  const ArrayRef<int64_t> firstRow = ArrayRef(first.shape).drop_front(),
                          row = ArrayRef(data.shape).drop_front();
  if (firstRow != row)
    return makeError(label + " has rows of shape " + shapeText(row) + ", but " + firstLabel + " of shape " +
                     shapeText(firstRow) + ": the files of one input need rows of one shape");
  if (first.element != data.element)
    return makeError(label + " holds " + typeName(data.element) + ", but " + firstLabel + " holds " +
                     typeName(first.element) + ": the files of one input need one type");
  return Error::success();
}

Error DataSet::addColumn(const Program &program, const Function &function, size_t index,
                         std::optional<float> scale, std::vector<Part> parts) {
  const Argument &argument = function.arguments[index];
  int64_t rows = 0;
  for (Part &part : parts) {
    if (Error error = checkPart(part.label, part.tensor, program, argument, scale))
      return error;
    if (Error error = checkAlike(parts[0].label, parts[0].tensor, part.label, part.tensor))
      return error;
    part.firstRow = rows;
    // The rows of each are in memory, so that their sum cannot overflow.
    rows += part.tensor.shape[0];
  }
  // Class numbers that were checked have the same bits as i64.
  if (argument.role == Role::Target && parts[0].tensor.element == StorageType::U64)
    for (Part &part : parts)
      part.tensor.element = storageType(argument.type.element);
  Column column{std::move(parts), index, argument.type.element, argument.type.elements() / program.batch,
                scale};
  if (!columns.empty() && rows != rowCount)
    return makeError(column.label() + " has " + Twine(rows) + " rows, but " + label() + " has " +
                     Twine(rowCount));
  rowCount = rows;
  columns.push_back(std::move(column));
  return Error::success();
}

Expected<DataSet> DataSet::open(const DataFiles &files, const Program &program, const Function &function) {
  DataSet data;
  Expected<std::vector<ArgumentFiles>> matched = matchFiles(files, function);
  if (!matched)
    return matched.takeError();
  for (size_t i = 0; i < matched->size(); ++i) {
    const ArgumentFiles &given = (*matched)[i];
    if (given.paths.empty())
      continue;
    std::vector<Part> parts;
    for (const std::string &path : given.paths) {
      Expected<FileTensor> tensor = readNpy(path);
      if (!tensor)
        return tensor.takeError();
      parts.push_back({"'" + path + "'", std::move(*tensor)});
    }
    if (Error error = data.addColumn(program, function, i, given.scale, std::move(parts)))
      return error;
  }
  if (data.columns.empty())
    return makeError("the model has no inputs");
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
    if (Error error = data.addColumn(program, function, array.argument, std::nullopt,
                                     {Part{array.label, std::move(tensor)}}))
      return error;
  }
  if (data.columns.empty())
    return makeError("the model has no inputs");
  return data;
}

void DataSet::Column::copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow, ForRun run) const {
  const Part &part = partOf(row);
  const StorageType from = part.tensor.element;
  const std::byte *source = part.tensor.bytes + (row - part.firstRow) * width * byteWidth(from);
  std::byte *destination = instance.argument(argument, run) + batchRow * width * byteWidth(element);
  copyElements(from, source, scale, element, destination, width);
}

const std::byte *DataSet::Column::inPlace(int64_t first, int64_t count) const {
  const Part &part = partOf(first);
  const int64_t row = first - part.firstRow, elementBytes = byteWidth(element);
  if (scale || part.tensor.element != storageType(element) || row + count > part.tensor.shape[0])
    return nullptr;
  const std::byte *rows = part.tensor.bytes + row * width * elementBytes;
  return uintptr_t(rows) % uintptr_t(elementBytes) == 0 ? rows : nullptr;
}

void DataSet::copyRow(int64_t row, FunctionInstance &instance, int64_t batchRow, ForRun run) const {
  for (const Column &column : columns)
    column.copyRow(row, instance, batchRow, run);
}

void DataSet::provideBatch(int64_t first, Runtime &runtime, FunctionInstance &instance, int64_t rank) const {
  const int64_t batch = runtime.program().batch;
  const auto [begin, end] = runtime.team().shareOf(batch, rank);
  for (const Column &column : columns) {
    const std::byte *rows = column.inPlace(first, batch);
    if (instance.lend(rank, column.argument, rows) && rows)
      continue;
    const int64_t valid = std::clamp(rowCount - first, begin, end);
    for (int64_t row = begin; row < valid; ++row)
      column.copyRow(first + row, instance, row, ForRun::This);
    const int64_t rowBytes = column.width * byteWidth(column.element);
    if (valid < end)
      std::memset(instance.argument(column.argument) + valid * rowBytes, 0, (end - valid) * rowBytes);
  }
}

void DataSet::takeBack(FunctionInstance &instance, int64_t rank) const {
  for (const Column &column : columns)
    (void)instance.lend(rank, column.argument, nullptr);
}

} // namespace phantom::rt
