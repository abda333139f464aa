//===- OpExporter.cpp - Exports one op --------------------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::onnx {

static Attribute makeAttribute(StringRef name, Attribute::Kind kind) {
  Attribute attribute;
  attribute.name = name.str();
  attribute.kind = kind;
  return attribute;
}

Attribute intAttribute(StringRef name, int64_t value) {
  Attribute attribute = makeAttribute(name, Attribute::Kind::Int);
  attribute.i = value;
  return attribute;
}

Attribute floatAttribute(StringRef name, double value) {
  Attribute attribute = makeAttribute(name, Attribute::Kind::Float);
  attribute.f = value;
  return attribute;
}

Attribute stringAttribute(StringRef name, StringRef value) {
  Attribute attribute = makeAttribute(name, Attribute::Kind::String);
  attribute.s = value.str();
  return attribute;
}

Attribute intsAttribute(StringRef name, ArrayRef<int64_t> values) {
  Attribute attribute = makeAttribute(name, Attribute::Kind::Ints);
  attribute.ints = values.vec();
  return attribute;
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

std::string OpExporter::node(StringRef opType, ArrayRef<std::string> inputs,
                             std::vector<Attribute> attributes, StringRef name) {
  std::string wanted = name.str();
  if (name.empty() && !names.empty() && !names.back().empty())
    wanted = names.back() + "_" + opType.str();
  std::string unique = graph.uniqueNode(wanted);
  std::string output = graph.nameTensor(unique, opType);
  graph.addNode(opType, unique, inputs, {output}).attributes = std::move(attributes);
  return output;
}

std::vector<std::string> OpExporter::split(StringRef opType, ArrayRef<std::string> inputs, size_t outputs,
                                           std::vector<Attribute> attributes) {
  std::string unique = graph.uniqueNode(
      names.empty() || names.back().empty() ? std::string() : names.back() + "_" + opType.str());
  std::vector<std::string> tensors;
  for (size_t i = 0; i < outputs; ++i)
    tensors.push_back(graph.nameTensor(unique, opType));
  graph.addNode(opType, unique, inputs, tensors).attributes = std::move(attributes);
  return tensors;
}

LogicalResult OpExporter::result(StringRef opType, ArrayRef<std::string> inputs,
                                 std::vector<Attribute> attributes) {
  return results(opType, inputs, op->getResults(), std::move(attributes));
}

LogicalResult OpExporter::results(StringRef opType, ArrayRef<std::string> inputs, mlir::ValueRange values,
                                  std::vector<Attribute> attributes) {
  std::string unique = graph.uniqueNode(names.empty() ? std::string() : names.back());
  std::vector<std::string> outputs;
  for (Value value : values)
    outputs.push_back(graph.nameResult(value, unique, opType));
  graph.addNode(opType, unique, inputs, outputs).attributes = std::move(attributes);
  return mlir::success();
}

std::string OpExporter::scalar(double number) { return filled({}, number); }

std::string OpExporter::filled(ArrayRef<int64_t> dims, double number) {
  auto type = cast<mlir::RankedTensorType>(op->getResult(0).getType());
  size_t count = mlir::ShapedType::getNumElements(dims);
  auto constant = [&](auto value) {
    std::vector<decltype(value)> values(count, value);
    return graph.constant(exportedType(type.getElementType(), false), dims,
                          {reinterpret_cast<const char *>(values.data()), count * sizeof(value)});
  };
  return type.getElementType().isF64() ? constant(number) : constant(static_cast<float>(number));
}

std::string OpExporter::integer(int64_t number) {
  return graph.constant(static_cast<int32_t>(DataType::Int64), {},
                        {reinterpret_cast<const char *>(&number), sizeof(number)});
}

std::string OpExporter::integers(ArrayRef<int64_t> numbers) {
  return graph.constant(static_cast<int32_t>(DataType::Int64), {static_cast<int64_t>(numbers.size())},
                        {reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(int64_t)});
}

} // namespace phantom::onnx
