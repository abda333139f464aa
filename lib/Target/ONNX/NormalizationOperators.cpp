//===- NormalizationOperators.cpp - Imports normalisations ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::NormalizeKind;
using mlir::phantom::NormalizeOp;

namespace phantom::onnx {

namespace {

/// Operands and attributes that both operators have.
struct Normalization {
  NormalizeKind kind;
  Value x, scale, shift;
  int64_t axis = 0;
  double epsilon = 0;

  SmallVector<int64_t> dims() const { return to_vector(seq<int64_t>(axis, shapeOf(x).size())); }
};

/// The statistics are computed in at least the precision that any of these types asks for.
LogicalResult checkStashType(NodeImporter &node) {
  FailureOr<int64_t> type = node.intAttribute("stash_type", 1);
  if (mlir::failed(type))
    return failure();
  if (!isFloatType(static_cast<int32_t>(*type)))
    return node.error() << "has the stash_type " << *type << ", which is no floating-point type";
  return success();
}

FailureOr<Normalization> readNormalization(NodeImporter &node, NormalizeKind kind) {
  FailureOr<Value> x = node.operand(0), scale = node.operand(1);
  FailureOr<int64_t> axis = node.intAttribute("axis", -1);
  FailureOr<double> epsilon = node.floatAttribute("epsilon", 1e-5);
  FailureOr<Value> shift = Value();
  if (node.hasInput(2))
    shift = node.operand(2);
  if (mlir::failed(x) || mlir::failed(scale) || mlir::failed(shift) || mlir::failed(axis) ||
      mlir::failed(epsilon) || mlir::failed(checkStashType(node)))
    return failure();
  Normalization result{kind, *x, *scale, *shift, *axis, *epsilon};
  auto rank = static_cast<int64_t>(shapeOf(*x).size());
  if (result.axis < 0)
    result.axis += rank;
  if (result.axis < 0 || result.axis >= rank)
    return node.error() << "has the axis " << *axis << ", but its operand has rank " << rank;
  if (*epsilon < 0)
    return node.error() << "has the epsilon " << *epsilon << ", which is negative";
  if (ShapedType::isDynamicShape(shapeOf(*x).drop_front(result.axis)))
    return node.error() << "normalises " << shapeText(shapeOf(*x))
                        << " over a dynamic dimension, which is not supported: use a fixed batch";
  return result;
}

/// `parameter` in the shape of a sample; null where it differs from sample to sample.
Value inSampleShape(NodeImporter &node, Value parameter, const Normalization &normalization) {
  ArrayRef<int64_t> sample = shapeOf(normalization.x).drop_front(normalization.axis);
  ArrayRef<int64_t> from = shapeOf(parameter);
  OpBuilder &b = node.builder;
  // Leading ones say nothing.
  ArrayRef<int64_t> own = from;
  while (own.size() > sample.size() && own.front() == 1)
    own = own.drop_front();
  if (own.size() > sample.size())
    return {};
  for (auto [extent, wanted] : zip(own, sample.take_back(own.size())))
    if (extent != 1 && extent != wanted)
      return {};
  if (own.size() != from.size())
    parameter = mlir::phantom::ReshapeOp::create(b, node.location, RankedTensorType::get(own, b.getF32Type()),
                                                 parameter);
  if (own == sample)
    return parameter;
  return mlir::phantom::BroadcastOp::create(b, node.location, RankedTensorType::get(sample, b.getF32Type()),
                                            parameter, Value());
}

FailureOr<Value> normalize(NodeImporter &node, const Normalization &n) {
  Value scale = inSampleShape(node, n.scale, n);
  Value shift = n.shift ? inSampleShape(node, n.shift, n) : Value();
  bool fused = scale && (shift || !n.shift);
  auto over = static_cast<int64_t>(shapeOf(n.x).size()) - n.axis;
  OpBuilder &b = node.builder;
  Value y = NormalizeOp::create(b, node.location, n.x.getType(), n.kind, n.x, fused ? scale : Value(),
                                fused ? shift : Value(), /*statistics=*/Value(), /*count=*/IntegerAttr(),
                                static_cast<uint64_t>(over), APFloat(n.epsilon));
  if (fused)
    return y;
  FailureOr<Value> wide = broadcastTo(node, n.scale, y);
  if (mlir::failed(wide))
    return failure();
  y = arith::MulFOp::create(b, node.location, y, *wide);
  if (!n.shift)
    return y;
  wide = broadcastTo(node, n.shift, y);
  if (mlir::failed(wide))
    return failure();
  return Value(arith::AddFOp::create(b, node.location, y, *wide));
}

/// The mean of each sample, its dimensions kept as ones.
Value createMean(NodeImporter &node, Value x, const Normalization &n) {
  OpBuilder &b = node.builder;
  ArrayRef<int64_t> shape = shapeOf(x);
  auto sumType = RankedTensorType::get(shape.take_front(n.axis), b.getF32Type());
  SmallVector<int64_t> kept(shape.take_front(n.axis));
  kept.resize(shape.size(), 1);
  Value sum = mlir::phantom::ReduceSumOp::create(b, node.location, sumType, x, n.dims());
  Value ones =
      mlir::phantom::ReshapeOp::create(b, node.location, RankedTensorType::get(kept, b.getF32Type()), sum);
  auto count = static_cast<double>(ShapedType::getNumElements(shape.drop_front(n.axis)));
  Value divisor = splat(node, count, ones);
  return arith::DivFOp::create(b, node.location, ones, divisor);
}

/// Mean and 1/√(variance + ε), for nodes that use them.
LogicalResult setMoments(NodeImporter &node, const Normalization &n) {
  if (!node.hasOutput(1) && !node.hasOutput(2))
    return success();
  OpBuilder &b = node.builder;
  Value mean = createMean(node, n.x, n);
  if (node.hasOutput(1) && mlir::failed(node.setResult(mean, 1)))
    return failure();
  if (!node.hasOutput(2))
    return success();
  Value wide = mlir::phantom::BroadcastOp::create(b, node.location, n.x.getType(), mean, n.x);
  Value difference = arith::SubFOp::create(b, node.location, n.x, wide);
  Value square = arith::MulFOp::create(b, node.location, difference, difference);
  Value variance = createMean(node, square, n);
  Value epsilon = splat(node, n.epsilon, variance);
  Value root =
      math::SqrtOp::create(b, node.location, arith::AddFOp::create(b, node.location, variance, epsilon));
  Value one = splat(node, 1, root);
  return node.setResult(arith::DivFOp::create(b, node.location, one, root), 2);
}

LogicalResult importNormalization(NodeImporter &node, NormalizeKind kind) {
  FailureOr<Normalization> n = readNormalization(node, kind);
  if (mlir::failed(n))
    return failure();
  FailureOr<Value> y = normalize(node, *n);
  if (mlir::failed(y) || mlir::failed(node.setResult(*y)))
    return failure();
  return kind == NormalizeKind::Layer ? setMoments(node, *n) : success();
}

/// x + skip + bias, the absent ones left out.
FailureOr<Value> addSkip(NodeImporter &node, Value x, unsigned skip, unsigned bias) {
  for (unsigned index : {skip, bias}) {
    if (!node.hasInput(index))
      continue;
    FailureOr<Value> addend = node.operand(index);
    if (mlir::failed(addend))
      return failure();
    FailureOr<Value> wide = broadcastTo(node, *addend, x);
    if (mlir::failed(wide))
      return failure();
    x = arith::AddFOp::create(node.builder, node.location, x, *wide);
  }
  return x;
}

} // namespace

/// com.microsoft: (x, skip, scale, shift?, bias?) or, simplified, (x, skip, scale, bias?), over the last
/// dimension.
LogicalResult importSkipLayerNormalization(NodeImporter &node) {
  bool simplified = node.opType() == "SkipSimplifiedLayerNormalization";
  FailureOr<Value> x = node.operand(0), scale = node.operand(2), shift = Value();
  FailureOr<double> epsilon = node.floatAttribute("epsilon", 1e-12);
  if (!simplified && node.hasInput(3))
    shift = node.operand(3);
  if (mlir::failed(x) || mlir::failed(scale) || mlir::failed(shift) || mlir::failed(epsilon))
    return failure();
  if (shapeOf(*x).empty() || ShapedType::isDynamic(shapeOf(*x).back()))
    return node.error() << "normalises " << shapeText(shapeOf(*x)) << "; its last dimension must be fixed";
  if (*epsilon < 0)
    return node.error() << "has the epsilon " << *epsilon << ", which is negative";
  if (simplified && (node.hasOutput(1) || node.hasOutput(2)))
    return node.error() << "has statistics as outputs, which is not supported";
  FailureOr<Value> sum = addSkip(node, *x, /*skip=*/1, /*bias=*/simplified ? 3 : 4);
  if (mlir::failed(sum))
    return failure();
  auto axis = static_cast<int64_t>(shapeOf(*sum).size()) - 1;
  Normalization n{
      simplified ? NormalizeKind::Rms : NormalizeKind::Layer, *sum, *scale, *shift, axis, *epsilon};
  FailureOr<Value> y = normalize(node, n);
  if (mlir::failed(y) || mlir::failed(node.setResult(*y)))
    return failure();
  if (node.hasOutput(3) && mlir::failed(node.setResult(*sum, 3)))
    return failure();
  return simplified ? success() : setMoments(node, n);
}

LogicalResult importLayerNormalization(NodeImporter &node) {
  return importNormalization(node, NormalizeKind::Layer);
}

LogicalResult importRMSNormalization(NodeImporter &node) {
  return importNormalization(node, NormalizeKind::Rms);
}

} // namespace phantom::onnx
