//===- OpExporter.cpp - Exports one op --------------------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using mlir::phantom::BroadcastOp;

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
// Broadcasts
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> staticShape(Value value) {
  return cast<mlir::RankedTensorType>(value.getType()).getShape();
}

/// What NumPy makes of the shapes, without their last `kept` dimensions; nothing where they do not fit.
static std::optional<SmallVector<int64_t>> commonShape(ArrayRef<Value> values, size_t kept) {
  SmallVector<int64_t> common;
  for (Value value : values) {
    ArrayRef<int64_t> shape = staticShape(value).drop_back(kept);
    if (shape.size() > common.size())
      common.insert(common.begin(), shape.size() - common.size(), 1);
    for (auto [extent, whole] : zip(reverse(shape), reverse(common))) {
      if (whole == 1)
        whole = extent;
      else if (extent != 1 && extent != whole)
        return std::nullopt;
    }
  }
  return common;
}

static Value stripBroadcast(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  return broadcast ? broadcast.getInput() : value;
}

SmallVector<Value> withoutBroadcasts(Operation *op) {
  SmallVector<Value> whole(op->getOperands()), bare;
  if (isa<mlir::phantom::NormalizeOp>(op)) {
    bare = whole;
    for (Value &value : MutableArrayRef(bare).drop_front())
      value = stripBroadcast(value);
    return bare;
  }
  // MatMul broadcasts all but the last two dimensions.
  size_t kept = isa<mlir::phantom::MatmulOp>(op) ? 2 : 0;
  if (!kept && !op->hasTrait<mlir::OpTrait::Elementwise>())
    return whole;
  for (Value value : whole) {
    auto broadcast = value.getDefiningOp<BroadcastOp>();
    bool fits = broadcast && staticShape(broadcast.getInput()).size() >= kept &&
                staticShape(broadcast.getInput()).take_back(kept) == staticShape(value).take_back(kept);
    bare.push_back(fits ? broadcast.getInput() : value);
  }
  auto common = commonShape(bare, kept);
  ArrayRef<int64_t> result = staticShape(op->getResult(0)).drop_back(kept);
  return common && ArrayRef<int64_t>(*common) == result ? bare : whole;
}

std::string OpExporter::bare(Value operand) { return graph.tensorOf(stripBroadcast(operand)); }

SmallVector<std::string> OpExporter::broadcastOperands() {
  return map_to_vector(withoutBroadcasts(op), [&](Value value) { return graph.tensorOf(value); });
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
  std::string unique = graph.uniqueNode(names.empty() ? std::string() : names.back());
  std::vector<std::string> outputs;
  for (Value value : op->getResults())
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

std::string OpExporter::integers(ArrayRef<int64_t> numbers) {
  return graph.constant(static_cast<int32_t>(DataType::Int64), {static_cast<int64_t>(numbers.size())},
                        {reinterpret_cast<const char *>(numbers.data()), numbers.size() * sizeof(int64_t)});
}

} // namespace phantom::onnx
