//===- ReduceOperators.cpp - Sums, means and softmax ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parts.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

/// What a reduction sums over; nothing where it is the identity.
static FailureOr<std::optional<Shape>> reducedAxes(NodeImporter &node, int64_t rank) {
  int64_t asInput = node.opType() == "ReduceSum" ? 13 : 18;
  FailureOr<std::optional<Shape>> axes = axesOf(node, asInput);
  FailureOr<int64_t> noop = node.opset() >= asInput ? node.intAttribute("noop_with_empty_axes", 0) : 0;
  if (mlir::failed(axes) || mlir::failed(noop))
    return failure();
  if (!*axes || (*axes)->empty())
    return *noop ? std::optional<Shape>() : std::optional(to_vector(seq<int64_t>(0, rank)));
  FailureOr<Shape> checked = checkedAxes(node, **axes, rank);
  return mlir::failed(checked) ? FailureOr<std::optional<Shape>>(failure())
                               : FailureOr(std::optional(*checked));
}

LogicalResult importReduce(NodeImporter &node) {
  bool mean = node.opType() == "ReduceMean";
  FailureOr<Value> operand = mean ? node.operand(0) : node.anyOperand(0);
  FailureOr<int64_t> keep = node.intAttribute("keepdims", 1);
  if (mlir::failed(operand) || mlir::failed(keep))
    return failure();
  Value x = *operand;
  if (elementOf(x).isInteger(1))
    return node.error() << "sums booleans";
  FailureOr<std::optional<Shape>> dims = reducedAxes(node, shapeOf(x).size());
  if (mlir::failed(dims))
    return failure();
  if (!*dims || (*dims)->empty())
    return node.setResult(x);
  FailureOr<Value> sum = sumOver(node, x, **dims, *keep != 0);
  if (mlir::failed(sum) || !mean)
    return mlir::failed(sum) ? failure() : node.setResult(*sum);
  int64_t count = 1;
  for (int64_t d : **dims)
    count = ShapedType::isDynamic(shapeOf(x)[d]) || ShapedType::isDynamic(count) ? ShapedType::kDynamic
                                                                                 : count * shapeOf(x)[d];
  // Over the batch, the number of elements is the sum of as many ones.
  FailureOr<Value> number = ShapedType::isDynamic(count)
                                ? sumOver(node, splat(node, 1, x), **dims, *keep != 0)
                                : FailureOr(splat(node, static_cast<double>(count), *sum));
  if (mlir::failed(number))
    return failure();
  return node.setResult(arith::DivFOp::create(node.builder, node.location, *sum, *number));
}

LogicalResult importSoftmax(NodeImporter &node) {
  FailureOr<Value> x = node.operand(0);
  bool single = node.opset() >= 13;
  FailureOr<int64_t> attribute = node.intAttribute("axis", single ? -1 : 1);
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  Shape shape(shapeOf(*x));
  FailureOr<int64_t> axis = checkedAxis(node, *attribute, shape.size());
  if (mlir::failed(axis))
    return failure();
  auto softmax = [&](Value value, int64_t dim) -> Value {
    IntegerAttr along = node.builder.getI64IntegerAttr(dim);
    if (node.opType() == "LogSoftmax")
      return mlir::phantom::LogSoftmaxOp::create(node.builder, node.location, value.getType(), value, along);
    return mlir::phantom::SoftmaxOp::create(node.builder, node.location, value.getType(), value, along,
                                            Value());
  };
  // Before opset 13 all dimensions from the axis on were one.
  if (single || *axis + 1 == static_cast<int64_t>(shape.size()))
    return node.setResult(softmax(*x, *axis));
  Shape matrix(2, 1);
  for (auto [d, extent] : enumerate(shape)) {
    int64_t &side = matrix[static_cast<int64_t>(d) < *axis ? 0 : 1];
    side =
        ShapedType::isDynamic(extent) || ShapedType::isDynamic(side) ? ShapedType::kDynamic : side * extent;
  }
  FailureOr<Value> flat = reshapeTo(node, *x, matrix);
  FailureOr<Value> y = mlir::failed(flat) ? flat : reshapeTo(node, softmax(*flat, 1), shape);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

} // namespace phantom::onnx
