//===- NodeImporter.cpp - Imports one node ----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "Normalize.h"
#include "Parameters.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

InFlightDiagnostic NodeImporter::error() const {
  InFlightDiagnostic diagnostic = emitError(location);
  if (reported)
    diagnostic.abandon();
  reported = true;
  diagnostic << "node " << node.label() << " ";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

FailureOr<Value> NodeImporter::operand(unsigned index) {
  if (!hasInput(index))
    return error() << "has no input " << index;
  StringRef name = node.inputs[index];
  if (Value value = table.values.lookup(name))
    return value;
  auto found = table.constants.find(name);
  if (found == table.constants.end())
    return error() << "uses " << quoteName(name) << ", an output that is not supported";
  const Tensor &tensor = *found->second;
  if (!isFloatType(tensor.type))
    return error() << "uses " << quoteName(name) << " of type " << dataTypeName(tensor.type)
                   << "; only floating-point tensors can be computed with";
  Expected<std::vector<float>> numbers = readFloats(tensor, model.path, dataDir);
  if (!numbers)
    return error() << "uses " << quoteName(name) << ": " << toString(numbers.takeError());
  FailureOr<RankedTensorType> type = tensorType(tensor.dims);
  if (mlir::failed(type))
    return failure();
  return Value(
      arith::ConstantOp::create(builder, location, DenseElementsAttr::get(*type, ArrayRef<float>(*numbers))));
}

FailureOr<const Tensor *> NodeImporter::constant(unsigned index) {
  if (!hasInput(index))
    return error() << "has no input " << index;
  auto found = table.constants.find(node.inputs[index]);
  if (found == table.constants.end())
    return error() << "needs a constant as input " << index << ", but " << quoteName(node.inputs[index])
                   << " is computed or trained: export the model with constant folding";
  return static_cast<const Tensor *>(found->second.get());
}

FailureOr<double> NodeImporter::scalar(unsigned index) {
  FailureOr<const Tensor *> tensor = constant(index);
  if (mlir::failed(tensor))
    return failure();
  if (isFloatType((*tensor)->type) && (*tensor)->elements() == 1) {
    Expected<std::vector<float>> numbers = readFloats(**tensor, model.path, dataDir);
    if (!numbers)
      return error() << toString(numbers.takeError());
    return shortestDouble(numbers->front());
  }
  // Exponents are often integers.
  if ((*tensor)->elements() == 1 && dataTypeWidth((*tensor)->type) > 1) {
    FailureOr<SmallVector<int64_t>> number = integers(index);
    if (mlir::failed(number))
      return failure();
    return static_cast<double>(number->front());
  }
  return error() << "needs one number as input " << index;
}

FailureOr<SmallVector<int64_t>> NodeImporter::integers(unsigned index) {
  FailureOr<const Tensor *> found = constant(index);
  if (mlir::failed(found))
    return failure();
  const Tensor &tensor = **found;
  constexpr int64_t mostDimensions = 64;
  bool wide = tensor.type == static_cast<int32_t>(DataType::Int64);
  if ((!wide && tensor.type != static_cast<int32_t>(DataType::Int32)) || tensor.dims.size() > 1 ||
      tensor.elements() > mostDimensions)
    return error() << "needs a short vector of integers as input " << index;
  if (tensor.external)
    return error() << "has external data as input " << index << "; shapes must be inside the model";
  SmallVector<int64_t> numbers;
  for (int64_t i = 0; i < tensor.elements(); ++i)
    numbers.push_back(wide ? support::endian::read<int64_t>(tensor.bytes.data() + 8 * i, endianness::little)
                           : support::endian::read<int32_t>(tensor.bytes.data() + 4 * i, endianness::little));
  return numbers;
}

LogicalResult NodeImporter::checkBoolean(unsigned index) {
  FailureOr<const Tensor *> tensor = constant(index);
  if (mlir::failed(tensor))
    return failure();
  if ((*tensor)->type != static_cast<int32_t>(DataType::Bool) || (*tensor)->elements() != 1)
    return error() << "needs one boolean as input " << index;
  return success();
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

FailureOr<const Attribute *> NodeImporter::typedAttribute(StringRef name, Attribute::Kind kind,
                                                          StringRef kindName) {
  readAttributes.insert(name);
  const Attribute *attribute = node.attribute(name);
  if (attribute && attribute->kind != kind)
    return error() << "has the attribute " << quoteName(name) << ", which is not " << kindName;
  return attribute;
}

FailureOr<int64_t> NodeImporter::intAttribute(StringRef name, int64_t otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Int, "an integer");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? (*attribute)->i : otherwise;
}

FailureOr<double> NodeImporter::floatAttribute(StringRef name, double otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Float, "a number");
  if (mlir::failed(attribute))
    return failure();
  double value = *attribute ? (*attribute)->f : otherwise;
  if (!std::isfinite(value))
    return error() << "has the attribute " << quoteName(name) << ", which is not finite";
  return value;
}

FailureOr<std::string> NodeImporter::stringAttribute(StringRef name, StringRef otherwise) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::String, "a string");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? (*attribute)->s : otherwise.str();
}

FailureOr<std::optional<std::vector<int64_t>>> NodeImporter::intsAttribute(StringRef name) {
  FailureOr<const Attribute *> attribute = typedAttribute(name, Attribute::Kind::Ints, "a list of integers");
  if (mlir::failed(attribute))
    return failure();
  return *attribute ? std::optional((*attribute)->ints) : std::nullopt;
}

LogicalResult NodeImporter::checkAttributesRead() const {
  for (const Attribute &attribute : node.attributes)
    if (!readAttributes.contains(attribute.name))
      return error() << "has the attribute " << quoteName(attribute.name) << ", which is not supported";
  return success();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

FailureOr<RankedTensorType> NodeImporter::tensorType(ArrayRef<int64_t> shape) const {
  constexpr int64_t most = int64_t(1) << 44;
  int64_t elements = 1;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      continue;
    if (extent < 1 || extent > most / elements)
      return error() << "has a tensor of shape " << shapeText(shape) << ", which is empty or too large";
    elements *= extent;
  }
  return RankedTensorType::get(shape, builder.getF32Type());
}

LogicalResult NodeImporter::setResult(Value value, unsigned index) {
  if (!hasOutput(index))
    return error() << "has no output";
  table.values[node.outputs[index]] = value;
  return success();
}

//===----------------------------------------------------------------------===//
// Broadcasting
//===----------------------------------------------------------------------===//

ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  raw_string_ostream stream(text);
  interleave(
      shape, stream,
      [&](int64_t extent) {
        if (ShapedType::isDynamic(extent))
          stream << "?";
        else
          stream << extent;
      },
      "x");
  return shape.empty() ? "scalar" : text;
}

Value splat(NodeImporter &node, double number, Value like) {
  auto scalarType = RankedTensorType::get({}, node.builder.getF32Type());
  Value scalar = arith::ConstantOp::create(node.builder, node.location,
                                           DenseElementsAttr::get(scalarType, static_cast<float>(number)));
  return mlir::phantom::BroadcastOp::create(node.builder, node.location, like.getType(), scalar, like);
}

Value transposeMatrix(NodeImporter &node, Value matrix) {
  ArrayRef<int64_t> shape = shapeOf(matrix);
  SmallVector<int64_t> permutation = to_vector(seq<int64_t>(0, shape.size())), swapped(shape);
  std::swap(permutation[shape.size() - 2], permutation[shape.size() - 1]);
  std::swap(swapped[shape.size() - 2], swapped[shape.size() - 1]);
  auto type = RankedTensorType::get(swapped, node.builder.getF32Type());
  return mlir::phantom::TransposeOp::create(node.builder, node.location, type, matrix, permutation);
}

FailureOr<Value> broadcastTo(NodeImporter &node, Value value, Value like) {
  ArrayRef<int64_t> from = shapeOf(value), to = shapeOf(like);
  if (from == to)
    return value;
  bool fits = from.size() <= to.size();
  for (size_t d = 0; fits && d < from.size(); ++d)
    fits = from[d] == 1 || from[d] == to[d + to.size() - from.size()];
  if (!fits)
    return node.error() << "cannot broadcast " << shapeText(from) << " to " << shapeText(to);
  return Value(mlir::phantom::BroadcastOp::create(node.builder, node.location, like.getType(), value, like));
}

/// The common shape, or nothing.
static std::optional<SmallVector<int64_t>> commonShape(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  size_t rank = std::max(a.size(), b.size());
  SmallVector<int64_t> shape(rank);
  for (size_t d = 0; d < rank; ++d) {
    int64_t left = d + a.size() < rank ? 1 : a[d + a.size() - rank];
    int64_t right = d + b.size() < rank ? 1 : b[d + b.size() - rank];
    if (left != right && left != 1 && right != 1)
      return std::nullopt;
    shape[d] = left == 1 ? right : left;
  }
  return shape;
}

/// `value` with leading ones up to `rank`, where it has a dynamic dimension: such a shape cannot be stated
/// otherwise.
static Value alignDynamic(NodeImporter &node, Value value, size_t rank) {
  SmallVector<int64_t> shape(shapeOf(value));
  if (shape.size() == rank || !ShapedType::isDynamicShape(shape))
    return value;
  shape.insert(shape.begin(), rank - shape.size(), 1);
  auto type = RankedTensorType::get(shape, node.builder.getF32Type());
  return mlir::phantom::ReshapeOp::create(node.builder, node.location, type, value);
}

LogicalResult broadcastOperands(NodeImporter &node, Value &lhs, Value &rhs) {
  std::optional<SmallVector<int64_t>> shape = commonShape(shapeOf(lhs), shapeOf(rhs));
  if (!shape)
    return node.error() << "cannot broadcast " << shapeText(shapeOf(lhs)) << " and "
                        << shapeText(shapeOf(rhs));
  FailureOr<RankedTensorType> type = node.tensorType(*shape);
  if (mlir::failed(type))
    return failure();
  lhs = alignDynamic(node, lhs, shape->size());
  rhs = alignDynamic(node, rhs, shape->size());
  Value like;
  if (!type->hasStaticShape()) {
    like = lhs.getType() == *type ? lhs : rhs;
    if (like.getType() != *type)
      return node.error() << "stretches both operands, " << shapeText(shapeOf(lhs)) << " and "
                          << shapeText(shapeOf(rhs)) << ", over a dynamic batch, which is not supported";
  }
  for (Value *value : {&lhs, &rhs})
    if (value->getType() != *type)
      *value = mlir::phantom::BroadcastOp::create(node.builder, node.location, *type, *value, like);
  return success();
}

} // namespace phantom::onnx
