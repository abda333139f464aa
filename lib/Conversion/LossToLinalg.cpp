//===- LossToLinalg.cpp - Losses and their gradients as linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

/// Whether the row of the current iteration counts: index 0 < valid.
Value isValidRow(ImplicitLocOpBuilder &b, Value valid) {
  Value row = arith::IndexCastOp::create(b, b.getI64Type(), linalg::IndexOp::create(b, 0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, valid);
}

/// Sum of terms over the leading `valid` rows (all where null), in f64. `body` gets the elements of `inputs`.
Value createMaskedSum(OpBuilder &builder, Location loc, ValueRange inputs, Value valid,
                      llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> body) {
  if (!valid)
    return createSumF64(builder, loc, inputs, Value(), body);
  Type f64 = builder.getF64Type();
  int64_t rank = tensorTypeOf(inputs.front()).getRank();
  AffineMap all = builder.getMultiDimIdentityMap(rank),
            scalar = AffineMap::get(rank, 0, builder.getContext());
  SmallVector<Value> operands(inputs);
  operands.push_back(valid);
  SmallVector<AffineMap> maps(inputs.size(), all);
  maps.append({scalar, scalar});
  SmallVector<IteratorType> iterators(rank, IteratorType::reduction);
  Value acc = createFilled(builder, loc, RankedTensorType::get({}, f64), 0);
  auto masked = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
    Value term = body(b, v.drop_back(2));
    Value zero = arith::ConstantOp::create(b, b.getF64FloatAttr(0));
    Value counted = arith::SelectOp::create(b, isValidRow(b, v[v.size() - 2]), term, zero);
    return {arith::AddFOp::create(b, v.back(), counted, arith::FastMathFlags::reassoc)};
  };
  return createGeneric(builder, loc, operands, acc, maps, iterators, masked).front();
}

/// sum / count in the element type, where count is `perRow` times the rows (or `valid`).
Value createMean(OpBuilder &builder, Location loc, Value sum, Value valid, int64_t rows, int64_t perRow,
                 RankedTensorType type) {
  SmallVector<Value> inputs{sum};
  if (valid)
    inputs.push_back(valid);
  return createElementwise(
      builder, loc, type, inputs, [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
        Scalars s(b, b.getF64Type());
        Value count = valid ? Value(arith::SIToFPOp::create(b, b.getF64Type(), v[1])) : s.constant(rows);
        return {s.cast(s.div(v[0], s.mul(count, s.constant(perRow))), type.getElementType())};
      });
}

/// The term of an elementwise loss, in f64.
Value createTerm(ImplicitLocOpBuilder &b, LossKind kind, Value y, Value t) {
  Scalars s(b, y.getType());
  Type f64 = b.getF64Type();
  if (kind == LossKind::Mse) {
    Value difference = s.cast(s.sub(y, t), f64);
    return s.mul(difference, difference);
  }
  // −t·log σ(y) − (1−t)·log(1−σ(y)) = max(y, 0) − y·t + log(1 + e^−|y|)
  Value decay = s.exp(s.neg(math::AbsFOp::create(b, y)));
  Value linear = s.sub(s.max(y, s.constant(0)), s.mul(y, t));
  return s.cast(s.add(linear, math::Log1pOp::create(b, decay)), f64);
}

/// Σ x along the last dimension, in f64.
Value createRowSums(OpBuilder &builder, Location loc, Value logits) {
  RankedTensorType type = tensorTypeOf(logits);
  const int64_t last = type.getRank() - 1;
  AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
  iterators[last] = IteratorType::reduction;
  Value zero =
      createFilled(builder, loc, RankedTensorType::get(type.getShape().drop_back(), builder.getF64Type()), 0);
  return createGeneric(builder, loc, logits, zero, {all, all.dropResult(last)}, iterators,
                       [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                         return {addF64(b, v[1], Scalars(b, v[0].getType()).cast(v[0], b.getF64Type()))};
                       })
      .front();
}

/// log Σ e^x − x[target] for the row that the body is at, in f64.
Value createCrossEntropyTerm(ImplicitLocOpBuilder &b, Value logits, Value target, Value max, Value sum) {
  Scalars s(b, max.getType());
  SmallVector<Value> indices;
  for (int64_t d = 0; d < tensorTypeOf(logits).getRank() - 1; ++d)
    indices.push_back(linalg::IndexOp::create(b, d));
  indices.push_back(arith::IndexCastOp::create(b, b.getIndexType(), target));
  Value own = tensor::ExtractOp::create(b, logits, indices);
  return s.cast(s.sub(math::LogOp::create(b, sum), s.sub(own, max)), b.getF64Type());
}

/// The sum of the terms of cross-entropy. With label smoothing ε a row's is
/// (1 − ε)·(log Σ e^x − x[target]) + ε·(log Σ e^x − mean x).
Value createCrossEntropySum(OpBuilder &builder, Location loc, LossOp op) {
  Value y = op.getPrediction();
  const int64_t classes = tensorTypeOf(y).getShape().back();
  const double smoothing = op.getLabelSmoothing().convertToDouble();
  auto [max, exponentials] = createSoftmaxStatistics(builder, loc, y, tensorTypeOf(y).getRank() - 1);
  SmallVector<Value> inputs{op.getTarget(), max, exponentials};
  if (smoothing != 0)
    inputs.push_back(createRowSums(builder, loc, y));
  return createMaskedSum(builder, loc, inputs, op.getValid(), [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Value term = createCrossEntropyTerm(b, y, v[0], v[1], v[2]);
    if (smoothing == 0)
      return term;
    Scalars s(b, v[1].getType()), wide(b, b.getF64Type());
    Value total = s.cast(s.add(math::LogOp::create(b, v[2]), v[1]), b.getF64Type());
    Value spread = wide.sub(total, wide.div(v[3], wide.constant(static_cast<double>(classes))));
    return wide.add(wide.mul(wide.constant(1 - smoothing), term), wide.mul(wide.constant(smoothing), spread));
  });
}

struct LossToLinalg : OpRewritePattern<LossOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LossOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value y = op.getPrediction(), t = op.getTarget(), valid = op.getValid();
    RankedTensorType type = tensorTypeOf(y);
    int64_t rows = type.getRank() > 0 ? type.getDimSize(0) : 1;
    int64_t terms = type.getNumElements();
    Value sum;
    if (op.getKind() == LossKind::CrossEntropy) {
      terms /= type.getShape().back();
      sum = createCrossEntropySum(rewriter, loc, op);
    } else {
      sum =
          createMaskedSum(rewriter, loc, ValueRange{y, t}, valid, [&](ImplicitLocOpBuilder &b, ValueRange v) {
            return createTerm(b, op.getKind(), v[0], v[1]);
          });
    }
    rewriter.replaceOp(op,
                       createMean(rewriter, loc, sum, valid, rows, terms / rows, tensorTypeOf(op.getLoss())));
    return success();
  }
};

struct LossGradientToLinalg : OpRewritePattern<LossGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LossGradientOp op, PatternRewriter &rewriter) const override {
    if (op.getKind() == LossKind::CrossEntropy)
      return crossEntropy(op, rewriter);
    RankedTensorType type = tensorTypeOf(op.getPrediction());
    double count = static_cast<double>(type.getNumElements());
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      if (op.getKind() == LossKind::Mse)
        return {s.mul(s.sub(v[0], v[1]), s.constant(2 / count))};
      return {s.mul(s.sub(s.sigmoid(v[0]), v[1]), s.constant(1 / count))};
    };
    rewriter.replaceOp(op, createElementwise(rewriter, op.getLoc(), type,
                                             ValueRange{op.getPrediction(), op.getTarget()}, body));
    return success();
  }

private:
  /// (softmax(y) − (1 − ε)·onehot(t) − ε/classes) / samples
  LogicalResult crossEntropy(LossGradientOp op, PatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    Value y = op.getPrediction();
    RankedTensorType type = tensorTypeOf(y);
    int64_t last = type.getRank() - 1;
    double samples = static_cast<double>(type.getNumElements() / type.getDimSize(last));
    const double smoothing = op.getLabelSmoothing().convertToDouble();
    const double spread = smoothing / static_cast<double>(type.getDimSize(last));
    auto [max, sum] = createSoftmaxStatistics(rewriter, loc, y, last);
    AffineMap all = rewriter.getMultiDimIdentityMap(type.getRank()), rows = all.dropResult(last);
    Value init = tensor::EmptyOp::create(rewriter, loc, type.getShape(), type.getElementType());
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      Value column = arith::IndexCastOp::create(b, b.getI64Type(), linalg::IndexOp::create(b, last));
      Value own = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, column, v[3]);
      Value wanted = arith::SelectOp::create(b, own, s.constant(1 - smoothing + spread), s.constant(spread));
      Value probability = s.div(s.exp(s.sub(v[0], v[1])), v[2]);
      return {s.mul(s.sub(probability, wanted), s.constant(1 / samples))};
    };
    SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
    rewriter.replaceOp(op, createGeneric(rewriter, loc, ValueRange{y, max, sum, op.getTarget()}, init,
                                         {all, rows, rows, rows, all}, iterators, body));
    return success();
  }
};

} // namespace

void mlir::phantom::populateLossToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<LossToLinalg, LossGradientToLinalg>(patterns.getContext());
}
