//===- MatrixOperators.cpp - Imports Gemm and MatMul ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::LinearOp;
using mlir::phantom::MatmulOp;
using mlir::phantom::ReshapeOp;
using mlir::phantom::TransposeOp;

namespace phantom::onnx {

/// Whether the value is a parameter, possibly transposed: what a linear layer has as its weight.
static bool isWeight(Value value) {
  while (auto transpose = value.getDefiningOp<TransposeOp>())
    value = transpose.getInput();
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return false;
  auto function = cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  return static_cast<bool>(
      function.getArgAttr(argument.getArgNumber(), mlir::phantom::PhantomDialect::kParameter));
}

/// The runtime has no products of nothing.
static LogicalResult checkElements(NodeImporter &node, Value a, Value b) {
  if (is_contained(shapeOf(a), 0) || is_contained(shapeOf(b), 0))
    return node.error() << "multiplies " << shapeText(shapeOf(a)) << " by " << shapeText(shapeOf(b))
                        << "; products of tensors without elements are not supported";
  return success();
}

static FailureOr<Value> createLinear(NodeImporter &node, Value x, Value weight, Value bias, bool io) {
  int64_t in = shapeOf(weight)[io ? 0 : 1], out = shapeOf(weight)[io ? 1 : 0];
  if (shapeOf(x).back() != in)
    return node.error() << "multiplies " << shapeText(shapeOf(x)) << " by a weight that takes " << in
                        << " columns";
  SmallVector<int64_t> shape(shapeOf(x));
  shape.back() = out;
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(x));
  if (mlir::failed(type))
    return failure();
  return Value(LinearOp::create(node.builder, node.location, *type, x, weight, bias,
                                io ? node.builder.getUnitAttr() : UnitAttr()));
}

/// `value` with its leading dimensions stretched to `batch`.
static FailureOr<Value> stretchBatch(NodeImporter &node, Value value, ArrayRef<int64_t> batch) {
  SmallVector<int64_t> shape(batch);
  append_range(shape, shapeOf(value).take_back(2));
  if (shapeOf(value) == ArrayRef<int64_t>(shape))
    return value;
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(value));
  if (mlir::failed(type))
    return failure();
  if (!type->hasStaticShape())
    return node.error() << "stretches " << shapeText(shapeOf(value))
                        << " over a dynamic batch, which is not supported";
  return Value(mlir::phantom::BroadcastOp::create(node.builder, node.location, *type, value, Value()));
}

/// The product of two activations of rank 2 or more.
static FailureOr<Value> createMatmul(NodeImporter &node, Value a, Value b) {
  auto misfit = [&] {
    return node.error() << "cannot multiply " << shapeText(shapeOf(a)) << " by " << shapeText(shapeOf(b));
  };
  if (shapeOf(a).back() != shapeOf(b).drop_back().back())
    return misfit();
  // Broadcast the batch dimensions, which align at the end.
  ArrayRef<int64_t> batchA = shapeOf(a).drop_back(2), batchB = shapeOf(b).drop_back(2);
  SmallVector<int64_t> batch(batchA.size() >= batchB.size() ? batchA : batchB);
  ArrayRef<int64_t> shorter = batchA.size() >= batchB.size() ? batchB : batchA;
  for (size_t d = 0; d < shorter.size(); ++d) {
    int64_t &extent = batch[d + batch.size() - shorter.size()];
    if (extent == 1)
      extent = shorter[d];
    else if (shorter[d] != 1 && shorter[d] != extent)
      return misfit();
  }
  FailureOr<Value> left = stretchBatch(node, a, batch), right = stretchBatch(node, b, batch);
  if (mlir::failed(left) || mlir::failed(right))
    return failure();
  SmallVector<int64_t> shape(batch);
  shape.push_back(shapeOf(a).drop_back().back());
  shape.push_back(shapeOf(b).back());
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(a));
  if (mlir::failed(type))
    return failure();
  return Value(MatmulOp::create(node.builder, node.location, *type, *left, *right));
}

static Value reshape(NodeImporter &node, Value value, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, elementOf(value));
  return ReshapeOp::create(node.builder, node.location, type, value);
}

/// The product of activations or of one with a weight, as NumPy's matmul defines it.
static LogicalResult importProduct(NodeImporter &node, Value a, Value b, bool transposeB, double alpha) {
  if (shapeOf(a).empty() || shapeOf(b).empty())
    return node.error() << "multiplies a scalar";
  if (mlir::failed(checkElements(node, a, b)))
    return failure();
  bool vectorA = shapeOf(a).size() == 1, vectorB = shapeOf(b).size() == 1;
  // Vectors count as a row and a column, and lose that dimension again.
  if (vectorA)
    a = reshape(node, a, {1, shapeOf(a)[0]});
  if (vectorB)
    b = reshape(node, b, {shapeOf(b)[0], 1});
  bool isLinear = shapeOf(b).size() == 2 && !vectorB && (isWeight(b) || shapeOf(a).size() > 2);
  if (transposeB && !isLinear && !vectorB)
    b = transposeMatrix(node, b);
  FailureOr<Value> product =
      isLinear ? createLinear(node, a, b, Value(), /*io=*/!transposeB) : createMatmul(node, a, b);
  if (mlir::failed(product))
    return failure();
  if (alpha != 1) {
    Value factor = splat(node, alpha, *product);
    product = Value(arith::MulFOp::create(node.builder, node.location, *product, factor));
  }
  if (!vectorA && !vectorB)
    return node.setResult(*product);
  SmallVector<int64_t> shape(shapeOf(*product));
  if (vectorB)
    shape.pop_back();
  if (vectorA)
    shape.erase(shape.end() - (vectorB ? 1 : 2));
  return node.setResult(reshape(node, *product, shape));
}

LogicalResult importMatMul(NodeImporter &node) {
  FailureOr<Value> a = node.operand(0), b = node.operand(1);
  if (mlir::failed(a) || mlir::failed(b))
    return failure();
  return importProduct(node, *a, *b, /*transposeB=*/false, /*alpha=*/1);
}

LogicalResult importFusedMatMul(NodeImporter &node) {
  FailureOr<Value> lhs = node.operand(0), b = node.operand(1);
  FailureOr<int64_t> transA = node.intAttribute("transA", 0), transB = node.intAttribute("transB", 0);
  FailureOr<int64_t> batchA = node.intAttribute("transBatchA", 0),
                     batchB = node.intAttribute("transBatchB", 0);
  FailureOr<double> alpha = node.floatAttribute("alpha", 1);
  if (mlir::failed(lhs) || mlir::failed(b) || mlir::failed(transA) || mlir::failed(transB) ||
      mlir::failed(batchA) || mlir::failed(batchB) || mlir::failed(alpha))
    return failure();
  if (*batchA || *batchB)
    return node.error() << "transposes a batch dimension, which is not supported";
  // A vector has nothing to transpose.
  Value a = *transA && shapeOf(*lhs).size() > 1 ? transposeMatrix(node, *lhs) : *lhs;
  return importProduct(node, a, *b, *transB != 0, *alpha);
}

/// y + beta·C, where that is not a bias of the linear layer.
static FailureOr<Value> addScaled(NodeImporter &node, Value y, Value c, double beta) {
  if (beta != 1) {
    Value factor = splat(node, beta, c);
    c = arith::MulFOp::create(node.builder, node.location, c, factor);
  }
  FailureOr<Value> wide = broadcastTo(node, c, y);
  if (mlir::failed(wide))
    return failure();
  return Value(arith::AddFOp::create(node.builder, node.location, y, *wide));
}

LogicalResult importGemm(NodeImporter &node) {
  FailureOr<Value> lhs = node.operand(0), rhs = node.operand(1);
  FailureOr<int64_t> transA = node.intAttribute("transA", 0), transB = node.intAttribute("transB", 0);
  FailureOr<double> alpha = node.floatAttribute("alpha", 1), beta = node.floatAttribute("beta", 1);
  if (mlir::failed(lhs) || mlir::failed(rhs) || mlir::failed(transA) || mlir::failed(transB) ||
      mlir::failed(alpha) || mlir::failed(beta))
    return failure();
  if (node.opset() < 7)
    node.ignoreAttribute("broadcast");
  if (node.opset() < 11 && mlir::failed(node.checkInputs(3, 3)))
    return failure();
  Value a = *lhs, b = *rhs, c;
  if (shapeOf(a).size() != 2 || shapeOf(b).size() != 2)
    return node.error() << "multiplies " << shapeText(shapeOf(a)) << " by " << shapeText(shapeOf(b))
                        << "; both must be matrices";
  if (mlir::failed(checkElements(node, a, b)))
    return failure();
  if (*transA)
    a = transposeMatrix(node, a);
  if (node.hasInput(2) && *beta != 0) {
    FailureOr<Value> addend = node.operand(2);
    if (mlir::failed(addend))
      return failure();
    c = *addend;
  }
  FailureOr<Value> y;
  bool isBias =
      c && *alpha == 1 && *beta == 1 && isWeight(b) && shapeOf(c) == shapeOf(b).slice(*transB ? 0 : 1, 1);
  if (isWeight(b)) {
    y = createLinear(node, a, b, isBias ? c : Value(), /*io=*/!*transB);
  } else {
    if (*transB)
      b = transposeMatrix(node, b);
    y = createMatmul(node, a, b);
  }
  if (mlir::failed(y))
    return failure();
  if (*alpha != 1) {
    Value factor = splat(node, *alpha, *y);
    y = Value(arith::MulFOp::create(node.builder, node.location, *y, factor));
  }
  if (c && !isBias)
    y = addScaled(node, *y, c, *beta);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

} // namespace phantom::onnx
