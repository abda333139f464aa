//===- Infer.cpp - A model's outputs for data -------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Batches.h"
#include "Outputs.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Npy.h"
#include "phantom-rt/Session.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

static std::string outputNames(const Function &function) {
  std::string names;
  for (const Result &result : function.results)
    if (result.role == Role::Output)
      names += (names.empty() ? "'" : ", '") + result.name + "'";
  return names;
}

Expected<std::vector<const Result *>> matchOutputs(ArrayRef<GivenOutput> given, const Function &function) {
  std::vector<const Result *> results, matched;
  for (const Result &result : function.results)
    if (result.role == Role::Output)
      results.push_back(&result);
  for (const GivenOutput &output : given) {
    if (output.name.empty() && results.size() != 1)
      return makeError("the model has the outputs " + outputNames(function) + ": say which one " +
                       output.label + " is for, by its name");
    auto found = find_if(
        results, [&](const Result *result) { return output.name.empty() || result->name == output.name; });
    if (found == results.end())
      return makeError("the model has no output '" + output.name + "'; its outputs are " +
                       outputNames(function));
    if (is_contained(matched, *found))
      return makeError("the output '" + (*found)->name + "' is asked for twice");
    matched.push_back(*found);
  }
  return matched;
}

bool hasBatch(const Program &program, const Function &function) {
  for (const Argument &argument : function.arguments)
    if (argument.role == Role::Input &&
        (argument.type.shape.empty() || argument.type.shape[0] != program.batch))
      return false;
  for (const Result &result : function.results)
    if (result.role == Role::Output &&
        (result.type.shape.empty() || result.type.shape[0] == 0 || result.type.shape[0] % program.batch))
      return false;
  return true;
}

Error copyRows(Runtime &runtime, FunctionInstance &function, const DataSet &data,
               ArrayRef<const Result *> results, ArrayRef<std::byte *> destinations) {
  const int64_t batch = runtime.program().batch;
  return forEachBatch(runtime, function, data, [&](int64_t first, int64_t valid) -> Error {
    for (size_t i = 0; i < results.size(); ++i) {
      const int64_t rowBytes = results[i]->type.bytes() / batch;
      if (rowBytes > 0)
        std::memcpy(destinations[i] + first * rowBytes, function.address(0, *results[i]), valid * rowBytes);
    }
    return Error::success();
  });
}

namespace {

/// A result of the function and the file that it goes to.
struct Output {
  const Result *result;
  std::string path;
};

Expected<std::vector<Output>> matchOutputFiles(ArrayRef<NamedFile> files, const Function &function) {
  std::vector<GivenOutput> given;
  for (const NamedFile &file : files)
    given.push_back({file.name, "'" + file.path + "'"});
  Expected<std::vector<const Result *>> results = matchOutputs(given, function);
  if (!results)
    return results.takeError();
  std::vector<Output> outputs;
  for (size_t i = 0; i < files.size(); ++i)
    outputs.push_back({(*results)[i], files[i].path});
  return outputs;
}

/// Reads the files of all inputs where each has exactly its input's shape. Otherwise nothing, if the model
/// has a batch, and an error if it has none.
Expected<std::vector<std::pair<size_t, FileTensor>>> readWhole(const DataFiles &files, const Program &program,
                                                               const Function &function) {
  Expected<std::vector<std::string>> paths = matchFiles(files, function);
  if (!paths)
    return paths.takeError();
  std::vector<std::pair<size_t, FileTensor>> tensors;
  for (size_t i = 0; i < paths->size(); ++i) {
    const std::string &path = (*paths)[i];
    const Argument &argument = function.arguments[i];
    if (path.empty())
      continue;
    Expected<FileTensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    if (tensor->shape != argument.type.shape) {
      if (hasBatch(program, function))
        return std::vector<std::pair<size_t, FileTensor>>();
      return makeError("'" + path + "' has shape " + shapeText(tensor->shape) + ", but the input '" +
                       argument.name + "' of the model needs " + shapeText(argument.type.shape));
    }
    if (!convertElements(tensor->element, tensor->bytes, argument.type.element, nullptr, 0))
      return makeError("'" + path + "' holds " + typeName(tensor->element) + ", but the input '" +
                       argument.name + "' needs " + typeName(argument.type.element));
    if (Error error = checkIndices("'" + path + "'", *tensor, argument))
      return error;
    tensors.emplace_back(i, std::move(*tensor));
  }
  return tensors;
}

Error writeWhole(Runtime &runtime, FunctionInstance &function,
                 ArrayRef<std::pair<size_t, FileTensor>> tensors, ArrayRef<Output> outputs) {
  for (const auto &[index, tensor] : tensors)
    convertElements(tensor.element, tensor.bytes, function.function().arguments[index].type.element,
                    function.argument(index), tensor.elements());
  if (Error error = runtime.team().run([&](int64_t rank) { return function.run(rank); }))
    return error;
  for (const Output &output : outputs)
    if (Error error = writeNpy(output.path, output.result->type, function.address(0, *output.result)))
      return error;
  return Error::success();
}

Error writeRows(Runtime &runtime, FunctionInstance &function, const DataSet &data, ArrayRef<Output> outputs) {
  std::vector<HostTensor> wholes;
  std::vector<const Result *> results;
  std::vector<std::byte *> destinations;
  for (const Output &output : outputs) {
    TensorType type = output.result->type;
    type.shape[0] = type.shape[0] / runtime.program().batch * data.rows();
    wholes.emplace_back(type);
    results.push_back(output.result);
  }
  for (HostTensor &whole : wholes)
    destinations.push_back(whole.bytes.data());
  if (Error error = copyRows(runtime, function, data, results, destinations))
    return error;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (Error writing = writeNpy(outputs[i].path, wholes[i].type, wholes[i].bytes.data()))
      return writing;
  return Error::success();
}

} // namespace

int64_t Session::inferenceBatch() const {
  const Program &program = device->program();
  const Function *function = program.function("infer");
  return function && hasBatch(program, *function) ? program.batch : 0;
}

Error Session::infer(const DataFiles &files, ArrayRef<NamedFile> outputFiles) {
  Expected<FunctionInstance *> function = instance("infer");
  if (!function)
    return function.takeError();
  const Function &signature = (*function)->function();
  Expected<std::vector<Output>> outputs = matchOutputFiles(outputFiles, signature);
  if (!outputs)
    return outputs.takeError();
  Expected<std::vector<std::pair<size_t, FileTensor>>> tensors =
      readWhole(files, device->program(), signature);
  if (!tensors)
    return tensors.takeError();
  bool hasInputs = any_of(signature.arguments, [](const Argument &a) { return a.role == Role::Input; });
  if (!hasInputs || !tensors->empty())
    return writeWhole(*device, **function, *tensors, *outputs);
  Expected<DataSet> data = DataSet::open(files, device->program(), signature);
  if (!data)
    return data.takeError();
  return writeRows(*device, **function, *data, *outputs);
}

} // namespace phantom::rt
