//===- ShapeOperators.cpp - Imports operators that look at shapes -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parts.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

/// The product of the extents; dynamic if one of them is.
static int64_t product(ArrayRef<int64_t> shape) {
  int64_t result = 1;
  for (int64_t extent : shape) {
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    result *= extent;
  }
  return result;
}

/// [product before the axis, product from it on].
static Shape flattened(ArrayRef<int64_t> shape, int64_t axis) {
  return {product(shape.take_front(axis)), product(shape.drop_front(axis))};
}

LogicalResult importFlatten(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<int64_t> attribute = node.intAttribute("axis", 1);
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  FailureOr<int64_t> axis = checkedAxis(node, *attribute, shapeOf(*x).size(), /*inclusive=*/true);
  if (mlir::failed(axis))
    return failure();
  FailureOr<Value> y = reshapeTo(node, *x, flattened(shapeOf(*x), *axis));
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

/// What ONNX's Reshape makes of the shape `wanted`; nullopt if it does not fit. The dynamic extent of `from`,
/// if it has one, is `rowsPerBatch` times the batch.
static std::optional<Shape> fitShape(ArrayRef<int64_t> from, ArrayRef<Extent> wanted, bool allowZero,
                                     int64_t rowsPerBatch) {
  constexpr int64_t most = int64_t(1) << 44;
  bool dynamic = ShapedType::isDynamicShape(from), takesBatch = false;
  int64_t total = dynamic ? rowsPerBatch : 1; // elements, per row of the batch
  for (int64_t extent : from)
    total *= ShapedType::isDynamic(extent) ? 1 : extent;
  Shape to;
  int64_t known = 1, inferred = -1;
  for (auto [d, extent] : enumerate(wanted)) {
    int64_t size = extent.constant, factor = size;
    if (size == -1 && extent.isConstant() && inferred < 0) {
      inferred = d;
      to.push_back(-1);
      continue;
    }
    if (extent == Extent{} && !allowZero) {
      if (d >= from.size())
        return std::nullopt;
      size = from[d];
      factor = ShapedType::isDynamic(size) ? rowsPerBatch : size;
    } else if (!extent.isConstant()) {
      size = ShapedType::kDynamic;
      factor = extent.constant == 0 ? extent.perBatch : 0;
    }
    if (ShapedType::isDynamic(size)) {
      if (takesBatch || !dynamic)
        return std::nullopt;
      takesBatch = true;
    }
    if (factor < 0 || factor > most / std::max<int64_t>(known, 1))
      return std::nullopt;
    known *= factor;
    to.push_back(size);
  }
  if (inferred >= 0 && dynamic && !takesBatch)
    to[inferred] = ShapedType::kDynamic;
  else if (inferred >= 0 && known > 0 && total % known == 0)
    to[inferred] = total / known;
  else if (inferred >= 0 || dynamic != takesBatch || total != known)
    return std::nullopt;
  return to;
}

FailureOr<Shape> reshapedShape(NodeImporter &node, ArrayRef<int64_t> shape, int64_t rowsPerBatch) {
  FailureOr<int64_t> allowZero = node.opset() >= 14 ? node.intAttribute("allowzero", 0) : 0;
  if (mlir::failed(allowZero))
    return failure();
  SmallVector<Extent> wanted;
  if (node.opset() < 5) {
    FailureOr<std::optional<std::vector<int64_t>>> attribute = node.intsAttribute("shape");
    if (mlir::failed(attribute) || mlir::failed(node.checkInputs(1, 1)))
      return failure();
    for (int64_t extent : attribute->value_or(std::vector<int64_t>()))
      wanted.push_back({extent, 0});
    node.ignoreAttribute("consumed_inputs");
  } else {
    FailureOr<SmallVector<Extent>> input = node.extents(1);
    if (mlir::failed(input))
      return failure();
    wanted = *input;
  }
  std::optional<Shape> fitting = fitShape(shape, wanted, *allowZero != 0, rowsPerBatch);
  if (fitting)
    return *fitting;
  Shape text;
  for (const Extent &extent : wanted)
    text.push_back(extent.isConstant() ? extent.constant : ShapedType::kDynamic);
  return node.error() << "cannot reshape " << shapeText(shape) << " to [" << shapeText(text) << "]"
                      << (ShapedType::isDynamicShape(shape)
                              ? ": with a dynamic batch, the shape must start with 0 or contain a -1"
                              : "");
}

LogicalResult importReshape(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  if (mlir::failed(x))
    return failure();
  // Where the rows are unknown, they are alike on both sides.
  FailureOr<Shape> shape = reshapedShape(node, shapeOf(*x), rowsPerBatch(*x).value_or(1));
  FailureOr<Value> y = mlir::failed(shape) ? FailureOr<Value>(failure()) : reshapeTo(node, *x, *shape);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

//===----------------------------------------------------------------------===//
// Dimensions of one
//===----------------------------------------------------------------------===//

FailureOr<Shape> squeezedShape(NodeImporter &node, ArrayRef<int64_t> shape) {
  FailureOr<std::optional<Shape>> axes = axesOf(node, /*asInput=*/13);
  if (mlir::failed(axes))
    return failure();
  Shape result;
  if (!*axes) {
    if (ShapedType::isDynamicShape(shape))
      return node.error() << "needs axes: its operand has a dynamic dimension";
    copy_if(shape, std::back_inserter(result), [](int64_t extent) { return extent != 1; });
    return result;
  }
  FailureOr<Shape> removed = checkedAxes(node, **axes, shape.size());
  if (mlir::failed(removed))
    return failure();
  for (auto [d, extent] : enumerate(shape)) {
    if (!is_contained(*removed, d))
      result.push_back(extent);
    else if (extent != 1)
      return node.error() << "removes dimension " << d << " of " << shapeText(shape) << ", which is not 1";
  }
  return result;
}

FailureOr<Shape> unsqueezedShape(NodeImporter &node, ArrayRef<int64_t> shape) {
  FailureOr<std::optional<Shape>> axes = axesOf(node, /*asInput=*/13);
  if (mlir::failed(axes))
    return failure();
  if (!*axes)
    return node.error() << "needs axes";
  FailureOr<Shape> added = checkedAxes(node, **axes, shape.size() + (*axes)->size());
  if (mlir::failed(added))
    return failure();
  Shape result(shape);
  for (int64_t axis : *added)
    result.insert(result.begin() + axis, 1);
  return result;
}

template <FailureOr<Shape> (*newShape)(NodeImporter &, ArrayRef<int64_t>)>
static LogicalResult importDimensions(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  if (mlir::failed(x))
    return failure();
  FailureOr<Shape> shape = newShape(node, shapeOf(*x));
  FailureOr<Value> y = mlir::failed(shape) ? FailureOr<Value>(failure()) : reshapeTo(node, *x, *shape);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

LogicalResult importSqueeze(NodeImporter &node) { return importDimensions<squeezedShape>(node); }
LogicalResult importUnsqueeze(NodeImporter &node) { return importDimensions<unsqueezedShape>(node); }

//===----------------------------------------------------------------------===//
// Shapes as values
//===----------------------------------------------------------------------===//

LogicalResult importKnown(NodeImporter &node) {
  return node.error() << "does not follow from constants and shapes of up to " << KnownTensor::kMostElements
                      << " elements, which is not supported";
}

/// The type that a Range rounds its elements to, which were computed in float; null where it has none.
static FailureOr<const fltSemantics *> narrowTypeOfRange(NodeImporter &node) {
  FailureOr<int64_t> stashType = node.opset() >= 27 ? node.intAttribute("stash_type", 1) : 1;
  if (mlir::failed(stashType))
    return failure();
  auto type = static_cast<DataType>(node.declaredType(0));
  if (type != DataType::Float16 && type != DataType::BFloat16)
    return nullptr;
  if (*stashType != static_cast<int64_t>(DataType::Float))
    return node.error() << "has the stash_type " << *stashType << "; ranges of "
                        << dataTypeName(node.declaredType(0)) << " are computed in float, stash_type 1";
  return type == DataType::Float16 ? &APFloat::IEEEhalf() : &APFloat::BFloat();
}

LogicalResult importRange(NodeImporter &node) {
  FailureOr<double> start = node.scalar(0), limit = node.scalar(1), delta = node.scalar(2);
  FailureOr<Value> like = node.anyOperand(0);
  FailureOr<const fltSemantics *> narrow = narrowTypeOfRange(node);
  if (mlir::failed(start) || mlir::failed(limit) || mlir::failed(delta) || mlir::failed(like) ||
      mlir::failed(narrow))
    return failure();
  double steps = std::ceil((*limit - *start) / *delta);
  constexpr double most = 1 << 24;
  if (!(steps <= most))
    return node.error() << "makes a range of " << steps << " elements, which is too large";
  double count = std::max(steps, 0.0);
  auto type = RankedTensorType::get({static_cast<int64_t>(count)}, elementOf(*like));
  SmallVector<mlir::Attribute> elements;
  for (int64_t i = 0; i < type.getDimSize(0); ++i) {
    APFloat value(*start + static_cast<double>(i) * *delta);
    bool inexact;
    if (*narrow)
      value.convert(**narrow, APFloat::rmNearestTiesToEven, &inexact);
    if (isa<FloatType>(type.getElementType()))
      elements.push_back(FloatAttr::get(type.getElementType(), value.convertToDouble()));
    else
      elements.push_back(
          IntegerAttr::get(type.getElementType(), static_cast<int64_t>(value.convertToDouble())));
  }
  return node.setResult(
      arith::ConstantOp::create(node.builder, node.location, DenseElementsAttr::get(type, elements)));
}

LogicalResult importConstantOfShape(NodeImporter &node) {
  FailureOr<Shape> shape = node.integers(0);
  FailureOr<const Tensor *> attribute = node.tensorAttribute("value");
  if (mlir::failed(shape) || mlir::failed(attribute))
    return failure();
  Tensor zero;
  std::string bytes(sizeof(float), 0);
  zero.type = static_cast<int32_t>(DataType::Float);
  zero.bytes = bytes;
  const Tensor &given = *attribute ? **attribute : zero;
  if (given.elements() != 1)
    return node.error() << "has the attribute 'value', which is not one element";
  FailureOr<Value> scalar = node.materialize(given);
  FailureOr<Value> flat = mlir::failed(scalar) ? scalar : reshapeTo(node, *scalar, {});
  FailureOr<RankedTensorType> type =
      mlir::failed(flat) ? FailureOr<RankedTensorType>(failure()) : node.tensorType(*shape, elementOf(*flat));
  if (mlir::failed(type))
    return failure();
  Value filled = mlir::phantom::BroadcastOp::create(node.builder, node.location, *type, *flat, Value());
  return node.setOutput(0, filled, isUnsignedType(given.type));
}

LogicalResult importExpand(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<SmallVector<Extent>> wanted = node.extents(1);
  if (mlir::failed(x) || mlir::failed(wanted))
    return failure();
  Shape from(shapeOf(*x));
  if (from.size() < wanted->size())
    from.insert(from.begin(), wanted->size() - from.size(), 1);
  Shape to(from);
  const std::optional<int64_t> rows = rowsPerBatch(*x);
  // The batch of the result needs a value that has it.
  Value like = node.shapeSource(1);
  for (size_t d = 0; d < wanted->size(); ++d) {
    const Extent &extent = (*wanted)[d];
    int64_t &size = to[d + from.size() - wanted->size()];
    bool sameBatch = ShapedType::isDynamic(size) && rows && extent == Extent{0, *rows};
    if (extent == Extent{1, 0} || sameBatch || extent == Extent{size, 0})
      continue;
    if (!extent.isConstant() && size == 1 && like) {
      size = ShapedType::kDynamic;
      continue;
    }
    if (!extent.isConstant())
      return node.error() << "stretches a dimension to the dynamic batch, which is not supported";
    if (size != 1)
      return node.error() << "cannot stretch " << shapeText(shapeOf(*x)) << " to " << extent.constant
                          << " in a dimension of "
                          << (ShapedType::isDynamic(size) ? "the batch" : shapeText(size));
    size = extent.constant;
  }
  if (from == to) {
    FailureOr<Value> same = reshapeTo(node, *x, to);
    return mlir::failed(same) ? failure() : node.setResult(*same);
  }
  FailureOr<RankedTensorType> type = node.tensorType(to, elementOf(*x));
  if (mlir::failed(type))
    return failure();
  if (type->hasStaticShape())
    like = {};
  else if (!like || shapeOf(like) != ArrayRef<int64_t>(to))
    return node.error() << "stretches a tensor with a dynamic batch, which is not supported";
  return node.setResult(
      mlir::phantom::BroadcastOp::create(node.builder, node.location, *type, *x, like).getOutput());
}

LogicalResult importTranspose(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<std::optional<std::vector<int64_t>>> attribute = node.intsAttribute("perm");
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  ArrayRef<int64_t> from = shapeOf(*x);
  SmallVector<int64_t> permutation = to_vector(reverse(seq<int64_t>(0, from.size())));
  if (*attribute)
    permutation.assign((*attribute)->begin(), (*attribute)->end());
  SmallVector<int64_t> sorted(permutation);
  sort(sorted);
  if (!equal(sorted, seq<int64_t>(0, from.size())))
    return node.error() << "has a perm that does not permute the " << from.size()
                        << " dimensions of its operand";
  SmallVector<int64_t> to;
  for (int64_t source : permutation)
    to.push_back(from[source]);
  auto type = RankedTensorType::get(to, elementOf(*x));
  return node.setResult(
      mlir::phantom::TransposeOp::create(node.builder, node.location, type, *x, permutation));
}

} // namespace phantom::onnx
