//===- ExportGraph.cpp - The ONNX graph while it is built ------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportGraph.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace phantom::onnx {

/// "" of "#3 Relu", which is how the importer calls a node without a name.
static StringRef withoutPlaceholder(StringRef name) {
  StringRef rest = name;
  if (!rest.consume_front("#"))
    return name;
  auto [number, type] = rest.split(' ');
  bool placeholder = !number.empty() && all_of(number, isDigit) && !type.empty();
  return placeholder ? StringRef() : name;
}

std::vector<std::string> originalNames(mlir::Location location) {
  std::vector<std::string> names;
  location->walk([&](mlir::Location part) {
    if (auto named = dyn_cast<mlir::NameLoc>(part))
      names.push_back(withoutPlaceholder(named.getName()).str());
    return mlir::WalkResult::advance();
  });
  return names;
}

std::string ExportGraph::nameTensor(StringRef nodeName, StringRef opType) {
  return uniqueTensor(nodeName.empty() ? opType.lower() : nodeName.str() + "_output_0");
}

std::string ExportGraph::nameResult(mlir::Value value, StringRef nodeName, StringRef opType) {
  auto found = reserved.find(value);
  std::string name = found != reserved.end() ? found->second : nameTensor(nodeName, opType);
  bind(value, name);
  return name;
}

Node &ExportGraph::addNode(StringRef opType, StringRef name, ArrayRef<std::string> inputs,
                           ArrayRef<std::string> outputs) {
  Node &node = model.nodes.emplace_back();
  node.index = model.nodes.size() - 1;
  node.opType = opType.str();
  node.name = name.str();
  node.inputs = inputs.vec();
  node.outputs = outputs.vec();
  return node;
}

std::string ExportGraph::constant(int32_t type, ArrayRef<int64_t> dims, StringRef bytes) {
  std::string key = std::to_string(type);
  for (int64_t extent : dims)
    key += "x" + std::to_string(extent);
  key += "\n" + bytes.str();
  std::string &name = constants[key];
  if (!name.empty())
    return name;
  name = uniqueTensor("constant");
  Attribute value;
  value.name = "value";
  value.kind = Attribute::Kind::Tensor;
  value.tensor = std::make_shared<Tensor>();
  value.tensor->type = type;
  value.tensor->dims = dims.vec();
  value.tensor->owned = bytes.str();
  value.tensor->bytes = value.tensor->owned;
  addNode("Constant", "", {}, {name}).attributes.push_back(std::move(value));
  return name;
}

Tensor &ExportGraph::addInitializer(StringRef name, ArrayRef<int64_t> dims) {
  auto tensor = std::make_shared<Tensor>();
  tensor->name = name.str();
  tensor->type = static_cast<int32_t>(DataType::Float);
  tensor->dims = dims.vec();
  model.initializers.push_back(tensor);
  return *tensor;
}

} // namespace phantom::onnx
