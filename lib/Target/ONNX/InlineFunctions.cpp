//===- InlineFunctions.cpp - Puts functions' nodes where they are called -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalize.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

#include <map>

using namespace llvm;
using mlir::emitError;
using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

namespace phantom::onnx {

namespace {

/// A few functions that call each other can stand for more nodes than fit any memory.
constexpr size_t kMostNodes = 1 << 18;
constexpr size_t kMostNestedCalls = 256;

using Key = std::tuple<std::string, std::string, std::string>;

Key keyOf(StringRef domain, StringRef name, StringRef overload) {
  return {domain.str(), name.str(), overload.str()};
}

class Inliner {
public:
  Inliner(Model &model, mlir::MLIRContext &context) : model(model), context(context) {}

  LogicalResult run();

private:
  LogicalResult expand(Node node, std::vector<const Function *> &callers);
  LogicalResult expandCall(const Node &call, const Function &function,
                           std::vector<const Function *> &callers);
  LogicalResult resolveAttributes(Node &node, const Node &call, const Function &function);
  LogicalResult checkCall(const Node &call, const Function &function, ArrayRef<const Function *> callers);
  StringMap<std::string> bindNames(const Node &call, const Function &function);
  void passThrough(const Node &call, const Function &function);
  mlir::InFlightDiagnostic error(const Node &node) {
    return emitError(nodeLocation(model, node, context)) << "node " << node.label() << " ";
  }

  Model &model;
  mlir::MLIRContext &context;
  std::map<Key, const Function *> functions;
  UniqueNames taken;
  std::vector<Node> result;
  size_t visited = 0; ///< nodes and calls
};

LogicalResult Inliner::checkCall(const Node &call, const Function &function,
                                 ArrayRef<const Function *> callers) {
  if (is_contained(callers, &function))
    return error(call) << "calls " << function.label() << ", which calls itself";
  if (callers.size() >= kMostNestedCalls)
    return error(call) << "calls " << function.label() << " inside " << kMostNestedCalls
                       << " functions, which is more than can be imported";
  if (call.inputs.size() > function.inputs.size() || call.outputs.size() > function.outputs.size())
    return error(call) << "has " << call.inputs.size() << " inputs and " << call.outputs.size()
                       << " outputs, but the function " << function.label() << " has "
                       << function.inputs.size() << " and " << function.outputs.size();
  for (const Attribute &attribute : call.attributes)
    if (!is_contained(function.attributes, attribute.name) &&
        none_of(function.defaults, [&](const Attribute &a) { return a.name == attribute.name; }))
      return error(call) << "has the attribute " << quoteName(attribute.name) << ", which the function "
                         << function.label() << " does not declare";
  return success();
}

/// The names of the function's values in the graph. Inputs that the call leaves out stay absent.
StringMap<std::string> Inliner::bindNames(const Node &call, const Function &function) {
  StringMap<std::string> names;
  for (auto [i, input] : enumerate(function.inputs))
    names[input] = i < call.inputs.size() ? call.inputs[i] : std::string();
  for (auto [i, output] : enumerate(function.outputs))
    if (i < call.outputs.size() && !call.outputs[i].empty() && !is_contained(function.inputs, output))
      names.try_emplace(output, call.outputs[i]);
  std::string prefix = call.name.empty() ? function.name + "#" + std::to_string(call.index) : call.name;
  for (const Node &node : function.nodes)
    for (const std::string &output : node.outputs)
      if (!output.empty() && !names.contains(output))
        names[output] = taken.make(prefix + "/" + output);
  return names;
}

/// An output that is an input of the function becomes an Identity.
void Inliner::passThrough(const Node &call, const Function &function) {
  for (auto [output, callOutput] : zip(function.outputs, call.outputs)) {
    auto input = find(function.inputs, output);
    size_t index = input - function.inputs.begin();
    if (input == function.inputs.end() || callOutput.empty() || index >= call.inputs.size())
      continue;
    Node identity;
    identity.index = call.index;
    identity.name = call.name;
    identity.opType = "Identity";
    identity.opset = 1;
    identity.inputs = {call.inputs[index]};
    identity.outputs = {callOutput};
    result.push_back(std::move(identity));
  }
}

/// Attributes that refer to those of the call take their values; without one they are absent.
LogicalResult Inliner::resolveAttributes(Node &node, const Node &call, const Function &function) {
  std::vector<Attribute> resolved;
  for (Attribute &attribute : node.attributes) {
    // Every call has tensors of its own: they will get names.
    if (attribute.tensor)
      attribute.tensor = aliasOf(attribute.tensor, attribute.tensor->name);
    if (attribute.reference.empty()) {
      resolved.push_back(std::move(attribute));
      continue;
    }
    const Attribute *value = call.attribute(attribute.reference);
    auto isReferred = [&](const Attribute &a) { return a.name == attribute.reference; };
    if (auto found = find_if(function.defaults, isReferred); !value && found != function.defaults.end())
      value = &*found;
    if (!value && !is_contained(function.attributes, attribute.reference))
      return error(call) << "calls " << function.label() << ", whose node " << node.label()
                         << " refers to the attribute " << quoteName(attribute.reference)
                         << ", which the function does not declare";
    if (!value)
      continue;
    Attribute &copy = resolved.emplace_back(*value);
    copy.name = attribute.name;
    if (copy.tensor)
      copy.tensor = aliasOf(copy.tensor, copy.tensor->name);
  }
  node.attributes = std::move(resolved);
  return success();
}

LogicalResult Inliner::expandCall(const Node &call, const Function &function,
                                  std::vector<const Function *> &callers) {
  if (mlir::failed(checkCall(call, function, callers)))
    return failure();
  StringMap<std::string> names = bindNames(call, function);
  passThrough(call, function);
  callers.push_back(&function);
  for (const Node &inner : function.nodes) {
    Node node = inner;
    node.index = call.index;
    if (!call.name.empty())
      node.name = call.name + "/" + (inner.name.empty() ? inner.opType : inner.name);
    if (node.scope.empty())
      node.scope = call.scope;
    for (std::string &input : node.inputs) {
      if (input.empty())
        continue;
      auto found = names.find(input);
      if (found == names.end())
        return error(call) << "calls " << function.label() << ", whose node " << inner.label() << " uses "
                           << quoteName(input) << ", which nothing in the function defines";
      input = found->second;
    }
    for (std::string &output : node.outputs) {
      if (is_contained(function.inputs, output))
        return error(call) << "calls " << function.label() << ", whose node " << inner.label()
                           << " defines its input " << quoteName(output);
      if (!output.empty())
        output = names.lookup(output);
    }
    if (mlir::failed(resolveAttributes(node, call, function)) ||
        mlir::failed(expand(std::move(node), callers)))
      return failure();
  }
  callers.pop_back();
  return success();
}

LogicalResult Inliner::expand(Node node, std::vector<const Function *> &callers) {
  if (++visited > kMostNodes)
    return error(node) << "is one of more than " << kMostNodes
                       << " nodes that the model's functions stand for: that is more than can be imported";
  auto function = functions.find(keyOf(node.domain, node.opType, node.overload));
  if (function != functions.end())
    return expandCall(node, *function->second, callers);
  result.push_back(std::move(node));
  return success();
}

LogicalResult Inliner::run() {
  for (const Function &function : model.functions)
    if (!functions.try_emplace(keyOf(function.domain, function.name, function.overload), &function).second)
      return emitError(modelLocation(model, context))
             << "the function " << function.label() << " is defined twice";
  taken = valueNames(model);
  std::vector<const Function *> callers;
  for (Node &node : model.nodes)
    if (mlir::failed(expand(std::move(node), callers)))
      return failure();
  model.nodes = std::move(result);
  return success();
}

} // namespace

LogicalResult inlineFunctions(Model &model, mlir::MLIRContext &context) {
  return model.functions.empty() ? success() : Inliner(model, context).run();
}

} // namespace phantom::onnx
