//===- HostData.cpp - Runs on data in the caller's memory -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/HostData.h"

#include "Outputs.h"
#include "TrainStep.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Session.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <cmath>
#include <cstring>

using namespace llvm;

namespace phantom::rt {

Expected<std::vector<MatchedArray>> matchHostData(const HostData &data, const Function &function) {
  std::vector<GivenInput> given;
  for (const HostInput &input : data.inputs)
    given.push_back({input.name, input.name.empty() ? "the data of the input"
                                                    : "the data of the input '" + input.name + "'"});
  auto matched = matchInputs(given, function);
  if (!matched)
    return matched.takeError();
  std::vector<MatchedArray> arrays;
  for (size_t i = 0; i < function.arguments.size(); ++i) {
    if (std::optional<size_t> index = (*matched)[i])
      arrays.push_back({i, data.inputs[*index].bytes, given[*index].label});
    else if (function.arguments[i].role == Role::Target)
      arrays.push_back({i, data.targets, "the data of the targets"});
  }
  return arrays;
}

/// Runs "infer" once on whole arrays: a model without a batch.
static Error inferWhole(Runtime &runtime, FunctionInstance &function, const HostData &data) {
  const Function &signature = function.function();
  auto matched = matchHostData(data, signature);
  if (!matched)
    return matched.takeError();
  for (const MatchedArray &array : *matched) {
    const Argument &argument = signature.arguments[array.argument];
    if (int64_t(array.bytes.size()) != argument.type.bytes())
      return makeError(array.label + " has " + Twine(array.bytes.size()) + " bytes, but " +
                       Twine(argument.type.bytes()) + " are needed");
    FileTensor tensor{storageType(argument.type.element), argument.type.shape, array.bytes.data(), nullptr};
    if (Error error = checkIndices(array.label, tensor, argument))
      return error;
    convertElements(tensor.element, tensor.bytes, argument.type.element, function.argument(array.argument),
                    tensor.elements());
  }
  return runtime.team().run([&](int64_t rank) { return function.run(rank); });
}

Error Session::infer(const HostData &data, ArrayRef<HostOutput> hostOutputs) {
  Expected<FunctionInstance *> function = instance("infer");
  if (!function)
    return function.takeError();
  const Function &signature = (*function)->function();
  const int64_t batch = inferenceBatch();
  std::vector<GivenOutput> given;
  for (const HostOutput &output : hostOutputs)
    given.push_back({output.name, output.name.empty() ? "the array" : "the array of '" + output.name + "'"});
  Expected<std::vector<const Result *>> results = matchOutputs(given, signature);
  if (!results)
    return results.takeError();
  std::vector<std::byte *> destinations;
  for (size_t i = 0; i < results->size(); ++i) {
    const int64_t size = (*results)[i]->type.bytes(), held = int64_t(hostOutputs[i].bytes.size());
    std::optional<int64_t> needed = batch ? checkedMul(data.rows, size / batch) : std::optional(size);
    if (held != needed)
      return makeError(given[i].label + " has " + Twine(held) + " bytes, but " +
                       (batch ? Twine(data.rows) + " rows of " : Twine("")) +
                       Twine(batch ? size / batch : size) + " bytes are needed");
    destinations.push_back(hostOutputs[i].bytes.data());
  }
  if (batch == 0) {
    if (Error error = inferWhole(*device, **function, data))
      return error;
    for (size_t i = 0; i < results->size(); ++i)
      std::memcpy(destinations[i], (*function)->address(device->team().leader(), *(*results)[i]),
                  (*results)[i]->type.bytes());
    return Error::success();
  }
  Expected<DataSet> rows = DataSet::view(data, device->program(), signature);
  if (!rows)
    return rows.takeError();
  return copyRows(*device, **function, *rows, *results, destinations);
}

Expected<double> Session::trainStep(const HostData &data, double learningRate) {
  const Program &program = device->program();
  Expected<TrainStep> step = bindTrainStep();
  if (!step)
    return step.takeError();
  FunctionInstance &function = step->onPart;
  if (data.rows != program.stepRows())
    return makeError("a training step takes " + Twine(program.stepRows()) + " rows, not " + Twine(data.rows));
  if (!std::isfinite(learningRate) || learningRate < 0)
    return makeError("the learning rate must be a number that is not negative");
  Expected<DataSet> rows = DataSet::view(data, program, function.function());
  if (!rows)
    return rows.takeError();
  step->setStep(stepsDone, learningRate);
  double loss = 0;
  for (int64_t part = 0; part < step->parts; ++part) {
    for (int64_t row = 0; row < program.batch; ++row)
      rows->copyRow(part * program.batch + row, function, row);
    step->setPart(stepsDone, part);
    if (Error error = device->team().run([&](int64_t rank) { return function.run(rank); }))
      return error;
    loss += function.scalar(device->team().leader(), *function.result(Role::Loss));
  }
  if (step->isDivided())
    if (Error error = device->team().run([&](int64_t rank) { return step->onEnd.run(rank); }))
      return error;
  ++stepsDone;
  return loss / double(step->parts);
}

} // namespace phantom::rt
