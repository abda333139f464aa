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
  return forEachBatch(runtime, function, data, [&](int64_t rank, int64_t first, int64_t valid) -> Error {
    const auto [begin, end] = runtime.team().shareOf(valid, rank);
    for (size_t i = 0; i < results.size(); ++i) {
      const int64_t rowBytes = results[i]->type.bytes() / batch;
      // All ranks have the same outputs.
      if (const int64_t bytes = (end - begin) * rowBytes)
        std::memcpy(destinations[i] + (first + begin) * rowBytes,
                    function.address(rank, *results[i]) + begin * rowBytes, bytes);
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

/// A file that an input takes as a whole.
struct WholeInput {
  size_t argument;
  FileTensor tensor;
  std::optional<float> scale;
};

/// Nothing where the file's rows are for batches.
Expected<std::optional<WholeInput>> readWhole(const ArgumentFiles &files, size_t index,
                                              const Program &program, const Function &function) {
  const Argument &argument = function.arguments[index];
  const std::string label = "'" + files.paths.front() + "'";
  Expected<FileTensor> tensor = readNpy(files.paths.front());
  if (!tensor)
    return tensor.takeError();
  if (files.paths.size() > 1 || tensor->shape != argument.type.shape) {
    if (hasBatch(program, function))
      return std::nullopt;
    if (files.paths.size() > 1)
      return makeError(label + " is not the only file of the input '" + argument.name +
                       "': a model without a batch takes one");
    return makeError(label + " has shape " + shapeText(tensor->shape) + ", but the input '" + argument.name +
                     "' of the model needs " + shapeText(argument.type.shape));
  }
  if (Error error = checkElement(label, tensor->element, argument, files.scale))
    return error;
  if (Error error = checkIndices(label, *tensor, argument))
    return error;
  return WholeInput{index, std::move(*tensor), files.scale};
}

/// The files of all inputs where each has exactly its input's shape. Otherwise nothing, if the model
/// has a batch, and an error if it has none.
Expected<std::vector<WholeInput>> readWhole(const DataFiles &files, const Program &program,
                                            const Function &function) {
  Expected<std::vector<ArgumentFiles>> matched = matchFiles(files, function);
  if (!matched)
    return matched.takeError();
  std::vector<WholeInput> inputs;
  for (size_t i = 0; i < matched->size(); ++i) {
    if ((*matched)[i].paths.empty())
      continue;
    auto input = readWhole((*matched)[i], i, program, function);
    if (!input)
      return input.takeError();
    if (!*input)
      return std::vector<WholeInput>();
    inputs.push_back(std::move(**input));
  }
  return inputs;
}

Error writeWhole(Runtime &runtime, FunctionInstance &function, ArrayRef<WholeInput> inputs,
                 ArrayRef<Output> outputs) {
  for (const WholeInput &input : inputs)
    copyElements(input.tensor.element, input.tensor.bytes, input.scale,
                 function.function().arguments[input.argument].type.element,
                 function.argument(input.argument), input.tensor.elements());
  if (Error error = runtime.team().run([&](int64_t rank) { return function.run(rank); }))
    return error;
  if (!runtime.team().isRoot())
    return Error::success();
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
  for (size_t i = 0; runtime.team().isRoot() && i < outputs.size(); ++i)
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
  Expected<std::vector<WholeInput>> whole = readWhole(files, device->program(), signature);
  if (!whole)
    return whole.takeError();
  bool hasInputs = any_of(signature.arguments, [](const Argument &a) { return a.role == Role::Input; });
  if (!hasInputs || !whole->empty())
    return writeWhole(*device, **function, *whole, *outputs);
  Expected<DataSet> data = DataSet::open(files, device->program(), signature);
  if (!data)
    return data.takeError();
  return writeRows(*device, **function, *data, *outputs);
}

} // namespace phantom::rt
