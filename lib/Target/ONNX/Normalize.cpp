//===- Normalize.cpp - One form for all models ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalize.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <queue>

using namespace llvm;
using mlir::emitError;
using mlir::emitRemark;
using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

namespace phantom::onnx {

mlir::Location modelLocation(const Model &model, mlir::MLIRContext &context) {
  return mlir::FileLineColLoc::get(&context, sys::path::filename(model.path), 0, 0);
}

mlir::Location nodeLocation(const Model &model, const Node &node, mlir::MLIRContext &context) {
  auto file = mlir::FileLineColLoc::get(&context, sys::path::filename(model.path), node.index + 1, 0);
  std::string name = node.name.empty() ? "#" + std::to_string(node.index) + " " + node.opType : node.name;
  auto named = mlir::NameLoc::get(mlir::StringAttr::get(&context, name));
  return mlir::FusedLoc::get(&context, {named, file});
}

namespace {

class Normalizer {
public:
  Normalizer(Model &model, SharedParameterMode mode, mlir::MLIRContext &context)
      : model(model), mode(mode), context(context) {}

  LogicalResult run(std::vector<std::string> &outputValues);

private:
  LogicalResult liftConstants();
  LogicalResult defineNames();
  LogicalResult sortNodes();
  LogicalResult reportCycle(ArrayRef<size_t> waiting);
  LogicalResult removeIdentities();
  LogicalResult define(StringRef name, const Twine &what);

  mlir::Location at(const Node &node) { return nodeLocation(model, node, context); }

  Model &model;
  SharedParameterMode mode;
  mlir::MLIRContext &context;
  StringMap<std::string> definitions; ///< name -> what defines it, for messages
  StringMap<size_t> producers;        ///< name -> node
  std::vector<std::string> outputs;
};

/// The tensor that a Constant node stands for; null where its attribute is not of a kind that is read.
std::shared_ptr<Tensor> constantTensor(const Attribute &attribute) {
  if (attribute.kind == Attribute::Kind::Tensor && attribute.name == "value")
    return attribute.tensor;
  auto tensor = std::make_shared<Tensor>();
  auto fill = [&](DataType type, const auto &values, bool scalar) {
    tensor->type = static_cast<int32_t>(type);
    if (!scalar)
      tensor->dims.push_back(values.size());
    tensor->owned.assign(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(values[0]));
    tensor->bytes = tensor->owned;
    return tensor;
  };
  if (attribute.kind == Attribute::Kind::Float && attribute.name == "value_float")
    return fill(DataType::Float, std::vector<float>{static_cast<float>(attribute.f)}, /*scalar=*/true);
  if (attribute.kind == Attribute::Kind::Floats && attribute.name == "value_floats")
    return fill(DataType::Float, attribute.floats, /*scalar=*/false);
  if (attribute.kind == Attribute::Kind::Int && attribute.name == "value_int")
    return fill(DataType::Int64, std::vector<int64_t>{attribute.i}, /*scalar=*/true);
  if (attribute.kind == Attribute::Kind::Ints && attribute.name == "value_ints")
    return fill(DataType::Int64, attribute.ints, /*scalar=*/false);
  return nullptr;
}

LogicalResult Normalizer::liftConstants() {
  std::vector<Node> rest;
  for (Node &node : model.nodes) {
    if (node.opType != "Constant" || !node.domain.empty()) {
      rest.push_back(std::move(node));
      continue;
    }
    if (node.attributes.size() != 1 || node.outputs.size() != 1 || node.outputs[0].empty())
      return emitError(at(node)) << "node " << node.label() << " must have one value and one output";
    std::shared_ptr<Tensor> tensor = constantTensor(node.attributes[0]);
    if (!tensor)
      return emitError(at(node)) << "node " << node.label() << " has a constant in the form "
                                 << quoteName(node.attributes[0].name)
                                 << ", which is not supported: use a dense tensor or numbers";
    tensor->name = node.outputs[0];
    tensor->literal = true;
    model.initializers.push_back(std::move(tensor));
  }
  model.nodes = std::move(rest);
  return success();
}

LogicalResult Normalizer::define(StringRef name, const Twine &what) {
  auto [entry, inserted] = definitions.try_emplace(name, what.str());
  if (inserted)
    return success();
  return emitError(modelLocation(model, context))
         << quoteName(name) << " is defined twice: by " << entry->second << " and by " << what.str();
}

LogicalResult Normalizer::defineNames() {
  StringSet<> constants;
  for (const auto &tensor : model.initializers) {
    if (tensor->name.empty())
      return emitError(modelLocation(model, context)) << "an initializer has no name";
    constants.insert(tensor->name);
    if (mlir::failed(define(tensor->name, "an initializer")))
      return failure();
  }
  // Old models list their initializers as inputs, too.
  erase_if(model.inputs, [&](const ValueInfo &input) { return constants.contains(input.name); });
  for (const ValueInfo &input : model.inputs) {
    if (input.name.empty())
      return emitError(modelLocation(model, context)) << "an input has no name";
    if (mlir::failed(define(input.name, "an input")))
      return failure();
  }
  for (auto [position, node] : enumerate(model.nodes))
    for (const std::string &output : node.outputs) {
      if (output.empty())
        continue;
      producers[output] = position;
      if (mlir::failed(define(output, "node " + node.label())))
        return failure();
    }
  return success();
}

LogicalResult Normalizer::reportCycle(ArrayRef<size_t> waiting) {
  // Walking backwards from a node that waits ends up in the cycle.
  std::vector<bool> blocked(model.nodes.size()), visited(model.nodes.size());
  for (size_t position : waiting)
    blocked[position] = true;
  std::vector<size_t> path;
  size_t current = waiting.front();
  while (!visited[current]) {
    visited[current] = true;
    path.push_back(current);
    for (const std::string &input : model.nodes[current].inputs)
      if (auto found = producers.find(input); found != producers.end() && blocked[found->second]) {
        current = found->second;
        break;
      }
  }
  constexpr size_t shown = 8;
  auto begin = find(path, current);
  size_t length = path.end() - begin;
  auto error = emitError(at(model.nodes[current])) << "the nodes form a cycle: ";
  for (size_t i = 0; i < std::min(length, shown); ++i)
    error << (i ? " needs " : "") << model.nodes[begin[i]].label();
  if (length > shown)
    error << " and " << length - shown << " more";
  return error;
}

/// Kahn's algorithm; among the nodes that are ready, the first of the file comes first.
LogicalResult Normalizer::sortNodes() {
  size_t count = model.nodes.size();
  std::vector<size_t> missing(count);
  std::vector<std::vector<size_t>> users(count);
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (auto [position, node] : enumerate(model.nodes)) {
    for (const std::string &input : node.inputs) {
      if (input.empty())
        continue;
      if (!definitions.contains(input))
        return emitError(at(node)) << "node " << node.label() << " uses " << quoteName(input)
                                   << ", which no input, initializer or node defines";
      if (auto found = producers.find(input); found != producers.end()) {
        users[found->second].push_back(position);
        ++missing[position];
      }
    }
    if (missing[position] == 0)
      ready.push(position);
  }
  std::vector<size_t> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (size_t user : users[order.back()])
      if (--missing[user] == 0)
        ready.push(user);
  }
  if (order.size() < count) {
    std::vector<size_t> waiting;
    for (size_t position = 0; position < count; ++position)
      if (missing[position])
        waiting.push_back(position);
    return reportCycle(waiting);
  }
  std::vector<Node> sorted;
  sorted.reserve(count);
  for (size_t position : order)
    sorted.push_back(std::move(model.nodes[position]));
  model.nodes = std::move(sorted);
  return success();
}

/// Uses of an Identity become uses of its operand. Of an initializer, it becomes an initializer of its own:
/// exporters merge parameters that happen to be equal and leave an Identity behind, and in training they part
/// again.
LogicalResult Normalizer::removeIdentities() {
  StringMap<std::string> sources;
  StringMap<std::shared_ptr<Tensor>> constants;
  for (const auto &tensor : model.initializers)
    constants[tensor->name] = tensor;
  auto resolve = [&](std::string &name) {
    if (auto found = sources.find(name); found != sources.end())
      name = found->second;
  };
  std::vector<Node> rest;
  for (Node &node : model.nodes) {
    for_each(node.inputs, resolve);
    if (node.opType != "Identity" || !node.domain.empty()) {
      rest.push_back(std::move(node));
      continue;
    }
    if (node.inputs.size() != 1 || node.outputs.size() != 1 || node.inputs[0].empty() ||
        node.outputs[0].empty())
      return emitError(at(node)) << "node " << node.label() << " must have one input and one output";
    auto constant = constants.find(node.inputs[0]);
    if (constant == constants.end() || mode == SharedParameterMode::Keep) {
      sources[node.outputs[0]] = node.inputs[0];
      continue;
    }
    std::shared_ptr<Tensor> copy = aliasOf(constant->second, node.outputs[0]);
    if (isFloatType(copy->type) && copy->elements() > 1)
      emitRemark(at(node)) << quoteName(copy->name) << " has the values of "
                           << quoteName(constant->second->name)
                           << " in the file; it is a parameter of its own here";
    model.initializers.push_back(copy);
    constants[copy->name] = copy;
  }
  model.nodes = std::move(rest);
  for (ValueInfo &output : model.outputs)
    if (!definitions.contains(output.name))
      return emitError(modelLocation(model, context))
             << "the output " << quoteName(output.name) << " is not defined by any node";
  for (const ValueInfo &output : model.outputs) {
    std::string value = output.name;
    resolve(value);
    outputs.push_back(value);
  }
  return success();
}

LogicalResult Normalizer::run(std::vector<std::string> &outputValues) {
  if (mlir::failed(liftConstants()) || mlir::failed(defineNames()) || mlir::failed(sortNodes()) ||
      mlir::failed(removeIdentities()))
    return failure();
  outputValues = std::move(outputs);
  return success();
}

} // namespace

LogicalResult normalize(Model &model, std::vector<std::string> &outputValues, SharedParameterMode mode,
                        mlir::MLIRContext &context) {
  return Normalizer(model, mode, context).run(outputValues);
}

} // namespace phantom::onnx
