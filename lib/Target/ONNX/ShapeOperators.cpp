//===- ShapeOperators.cpp - Imports operators that look at shapes -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::ReshapeOp;

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

static FailureOr<Value> reshape(NodeImporter &node, Value value, ArrayRef<int64_t> shape) {
  FailureOr<RankedTensorType> type = node.tensorType(shape);
  if (mlir::failed(type))
    return failure();
  return Value(ReshapeOp::create(node.builder, node.location, *type, value));
}

/// `axis` counted from the start. It may be `rank` itself where `inclusive`.
static FailureOr<int64_t> checkedAxis(NodeImporter &node, int64_t axis, int64_t rank, bool inclusive) {
  int64_t fromStart = axis < 0 ? axis + rank : axis;
  if (fromStart < 0 || fromStart > rank || (fromStart == rank && !inclusive))
    return node.error() << "has the axis " << axis << ", but its operand has rank " << rank;
  return fromStart;
}

/// [product before the axis, product from it on].
static SmallVector<int64_t> flattened(ArrayRef<int64_t> shape, int64_t axis) {
  return {product(shape.take_front(axis)), product(shape.drop_front(axis))};
}

LogicalResult importFlatten(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  FailureOr<int64_t> attribute = node.intAttribute("axis", 1);
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  FailureOr<int64_t> axis = checkedAxis(node, *attribute, shapeOf(*x).size(), /*inclusive=*/true);
  if (mlir::failed(axis))
    return failure();
  FailureOr<Value> y = reshape(node, *x, flattened(shapeOf(*x), *axis));
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

LogicalResult importSoftmax(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  bool single = node.opset() >= 13;
  FailureOr<int64_t> attribute = node.intAttribute("axis", single ? -1 : 1);
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  SmallVector<int64_t> shape(shapeOf(*x));
  FailureOr<int64_t> axis = checkedAxis(node, *attribute, shape.size(), /*inclusive=*/false);
  if (mlir::failed(axis))
    return failure();
  auto softmax = [&](Value value, int64_t dim) -> Value {
    return mlir::phantom::SoftmaxOp::create(node.builder, node.location, value.getType(), value,
                                            node.builder.getI64IntegerAttr(dim), Value());
  };
  // Before opset 13 all dimensions from the axis on were one.
  if (single || *axis + 1 == static_cast<int64_t>(shape.size()))
    return node.setResult(softmax(*x, *axis));
  FailureOr<Value> matrix = reshape(node, *x, flattened(shape, *axis));
  if (mlir::failed(matrix))
    return failure();
  FailureOr<Value> y = reshape(node, softmax(*matrix, 1), shape);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

/// What ONNX's Reshape makes of the shape `wanted`; nullopt if it does not fit the operand's shape.
static std::optional<SmallVector<int64_t>> reshapedShape(ArrayRef<int64_t> from, ArrayRef<int64_t> wanted,
                                                         bool allowZero) {
  SmallVector<int64_t> to(wanted);
  int64_t known = 1, inferred = -1;
  bool copiesBatch = false;
  constexpr int64_t most = int64_t(1) << 44;
  for (auto [d, extent] : enumerate(to)) {
    if (extent == 0 && !allowZero) {
      if (d >= from.size())
        return std::nullopt;
      extent = from[d];
      if (ShapedType::isDynamic(extent)) {
        copiesBatch = true;
        continue;
      }
    }
    if (extent == -1 && inferred < 0) {
      inferred = d;
      continue;
    }
    if (extent < 1 || extent > most / known)
      return std::nullopt;
    known *= extent;
  }
  int64_t fixed = 1;
  for (int64_t extent : from)
    fixed *= ShapedType::isDynamic(extent) ? 1 : extent;
  bool dynamic = ShapedType::isDynamicShape(from) && !copiesBatch;
  if (inferred >= 0 && dynamic)
    to[inferred] = ShapedType::kDynamic;
  else if (inferred >= 0 && fixed % known == 0)
    to[inferred] = fixed / known;
  else if (inferred >= 0 || dynamic || fixed != known)
    return std::nullopt;
  return to;
}

LogicalResult importReshape(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  FailureOr<int64_t> allowZero = node.intAttribute("allowzero", 0);
  if (mlir::failed(x) || mlir::failed(allowZero))
    return failure();
  SmallVector<int64_t> wanted;
  if (node.opset() < 5) {
    FailureOr<std::optional<std::vector<int64_t>>> attribute = node.intsAttribute("shape");
    if (mlir::failed(attribute))
      return failure();
    if (*attribute)
      wanted.assign((*attribute)->begin(), (*attribute)->end());
    node.ignoreAttribute("consumed_inputs");
  } else {
    FailureOr<SmallVector<int64_t>> input = node.integers(1);
    if (mlir::failed(input))
      return failure();
    wanted = *input;
  }
  std::optional<SmallVector<int64_t>> shape = reshapedShape(shapeOf(*x), wanted, *allowZero != 0);
  if (!shape)
    return node.error() << "cannot reshape " << cast<RankedTensorType>(x->getType()) << " to ["
                        << shapeText(wanted) << "]"
                        << (ShapedType::isDynamicShape(shapeOf(*x))
                                ? ": with a dynamic batch, the shape must start with 0 or contain a -1"
                                : "");
  FailureOr<Value> y = reshape(node, *x, *shape);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

LogicalResult importTranspose(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
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
  auto type = RankedTensorType::get(to, node.builder.getF32Type());
  return node.setResult(
      mlir::phantom::TransposeOp::create(node.builder, node.location, type, *x, permutation));
}

} // namespace phantom::onnx
