//===- Broadcasting.cpp - Shapes of operands ------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringExtras.h"

#include <numeric>

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

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

Type elementOf(Value value) { return cast<RankedTensorType>(value.getType()).getElementType(); }

Value scalarConstant(NodeImporter &node, double number, Type element) {
  TypedAttr value;
  if (isa<FloatType>(element))
    value = FloatAttr::get(element, element.isF32() ? static_cast<float>(number) : number);
  else
    value = IntegerAttr::get(element, static_cast<int64_t>(number));
  auto elements = DenseElementsAttr::get(RankedTensorType::get({}, element), mlir::Attribute(value));
  return arith::ConstantOp::create(node.builder, node.location, elements);
}

Value splat(NodeImporter &node, double number, Value like, Type element) {
  Value scalar = scalarConstant(node, number, element ? element : elementOf(like));
  auto type = cast<RankedTensorType>(like.getType()).clone(elementOf(scalar));
  if (type == scalar.getType())
    return scalar;
  return mlir::phantom::BroadcastOp::create(node.builder, node.location, type, scalar,
                                            type.hasStaticShape() ? Value() : like);
}

Value transposeMatrix(NodeImporter &node, Value matrix) {
  ArrayRef<int64_t> shape = shapeOf(matrix);
  SmallVector<int64_t> permutation = to_vector(seq<int64_t>(0, shape.size())), swapped(shape);
  std::swap(permutation[shape.size() - 2], permutation[shape.size() - 1]);
  std::swap(swapped[shape.size() - 2], swapped[shape.size() - 1]);
  auto type = RankedTensorType::get(swapped, elementOf(matrix));
  return mlir::phantom::TransposeOp::create(node.builder, node.location, type, matrix, permutation);
}

std::optional<int64_t> rowsPerBatch(Value value) {
  auto isDynamic = [](Value v) { return ShapedType::isDynamicShape(shapeOf(v)); };
  auto fixedElements = [](Value v) {
    int64_t product = 1;
    for (int64_t extent : shapeOf(v))
      product *= ShapedType::isDynamic(extent) ? 1 : std::max<int64_t>(extent, 1);
    return product;
  };
  int64_t numerator = 1, denominator = 1;
  while (isDynamic(value)) {
    Operation *op = value.getDefiningOp();
    Value operand;
    if (op)
      for (Value candidate : op->getOperands())
        if (!operand && isDynamic(candidate))
          operand = candidate;
    if (!operand)
      break;
    if (isa<mlir::phantom::ReshapeOp>(op)) {
      numerator *= fixedElements(operand);
      denominator *= fixedElements(value);
      int64_t common = std::gcd(numerator, denominator);
      numerator /= common;
      denominator /= common;
    }
    value = operand;
  }
  return numerator % denominator == 0 ? std::optional(numerator / denominator) : std::nullopt;
}

FailureOr<Value> reshapeTo(NodeImporter &node, Value value, ArrayRef<int64_t> shape) {
  if (shapeOf(value) == shape)
    return value;
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(value));
  if (mlir::failed(type))
    return failure();
  return Value(mlir::phantom::ReshapeOp::create(node.builder, node.location, *type, value));
}

FailureOr<Value> sumOver(NodeImporter &node, Value value, ArrayRef<int64_t> dims, bool keep) {
  SmallVector<int64_t> without, unit(shapeOf(value));
  for (auto [d, extent] : enumerate(shapeOf(value)))
    if (!is_contained(dims, d))
      without.push_back(extent);
  for (int64_t d : dims)
    unit[d] = 1;
  auto type = RankedTensorType::get(without, elementOf(value));
  Value sum = mlir::phantom::ReduceSumOp::create(node.builder, node.location, type, value, dims);
  return keep ? reshapeTo(node, sum, unit) : FailureOr<Value>(sum);
}

FailureOr<int64_t> checkedAxis(NodeImporter &node, int64_t axis, int64_t rank, bool inclusive) {
  int64_t fromStart = axis < 0 ? axis + rank : axis;
  if (fromStart < 0 || fromStart > rank || (fromStart == rank && !inclusive))
    return node.error() << "has the axis " << axis << ", but its operand has rank " << rank;
  return fromStart;
}

FailureOr<SmallVector<int64_t>> checkedAxes(NodeImporter &node, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<int64_t> sorted;
  for (int64_t axis : axes) {
    FailureOr<int64_t> checked = checkedAxis(node, axis, rank);
    if (mlir::failed(checked))
      return failure();
    sorted.push_back(*checked);
  }
  sort(sorted);
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return node.error() << "names an axis twice";
  return sorted;
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
  auto type = cast<RankedTensorType>(like.getType()).clone(elementOf(value));
  return Value(mlir::phantom::BroadcastOp::create(node.builder, node.location, type, value,
                                                  type.hasStaticShape() ? Value() : like));
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
  auto type = RankedTensorType::get(shape, elementOf(value));
  return mlir::phantom::ReshapeOp::create(node.builder, node.location, type, value);
}

LogicalResult broadcastTogether(NodeImporter &node, MutableArrayRef<Value> values) {
  SmallVector<int64_t> shape(shapeOf(values.front()));
  for (Value value : values.drop_front()) {
    std::optional<SmallVector<int64_t>> common = commonShape(shape, shapeOf(value));
    if (!common)
      return node.error() << "cannot broadcast " << shapeText(shape) << " and " << shapeText(shapeOf(value));
    shape = *common;
  }
  if (mlir::failed(node.tensorType(shape)))
    return failure();
  Value like;
  for (Value &value : values) {
    value = alignDynamic(node, value, shape.size());
    if (ShapedType::isDynamicShape(shape) && !like && shapeOf(value) == ArrayRef<int64_t>(shape))
      like = value;
  }
  if (ShapedType::isDynamicShape(shape) && !like)
    return node.error() << "stretches all operands, "
                        << join(map_range(values, [](Value v) { return shapeText(shapeOf(v)); }), " and ")
                        << ", over a dynamic batch, which is not supported";
  for (Value &value : values) {
    auto type = RankedTensorType::get(shape, elementOf(value));
    if (value.getType() != type)
      value = mlir::phantom::BroadcastOp::create(node.builder, node.location, type, value, like);
  }
  return success();
}

LogicalResult broadcastOperands(NodeImporter &node, Value &lhs, Value &rhs) {
  Value values[] = {lhs, rhs};
  if (mlir::failed(broadcastTogether(node, values)))
    return failure();
  std::tie(lhs, rhs) = std::pair(values[0], values[1]);
  return success();
}

} // namespace phantom::onnx
