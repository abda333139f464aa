//===- ModelToLinalg.cpp - Activations, shapes and reductions as linalg.generic -*- C++ -*-===//
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
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

static constexpr double kSqrtHalf = 0.70710678118654752440;      // 1/√2
static constexpr double kGaussPeak = 0.39894228040143267794;     // 1/√(2π)
static constexpr double kSqrtTwoOverPi = 0.79788456080286535588; // √(2/π)
static constexpr double kGeluCubic = 0.044715;

/// Φ(x) of the normal distribution.
static Value gaussCdf(Scalars &s, Value x) {
  return s.mul(s.constant(0.5), s.add(s.constant(1), s.erf(s.mul(x, s.constant(kSqrtHalf)))));
}

/// tanh(√(2/π)(x + 0.044715x³))
static Value geluTanh(Scalars &s, Value x) {
  Value cubic = s.add(s.constant(1), s.mul(s.constant(kGeluCubic), s.mul(x, x)));
  return s.tanh(s.mul(s.mul(s.constant(kSqrtTwoOverPi), x), cubic));
}

Value mlir::phantom::createActivation(Scalars &s, ActivationKind kind, double alpha, Value x) {
  switch (kind) {
  case ActivationKind::Relu:
    return s.max(x, s.constant(0));
  case ActivationKind::LeakyRelu:
    return s.ifPositive(x, x, s.mul(s.constant(alpha), x));
  case ActivationKind::Elu:
    return s.ifPositive(x, x, s.mul(s.constant(alpha), math::ExpM1Op::create(s.b, x)));
  case ActivationKind::Sigmoid:
    return s.sigmoid(x);
  case ActivationKind::Tanh:
    return s.tanh(x);
  case ActivationKind::GeluErf:
    return s.mul(x, gaussCdf(s, x));
  case ActivationKind::GeluTanh:
    return s.mul(s.mul(s.constant(0.5), x), s.add(s.constant(1), geluTanh(s, x)));
  case ActivationKind::Silu:
    return s.mul(x, s.sigmoid(x));
  case ActivationKind::Softplus: { // max(x, 0) + log(1 + e^−|x|)
    Value decay = s.exp(s.neg(math::AbsFOp::create(s.b, x)));
    return s.add(s.max(x, s.constant(0)), math::Log1pOp::create(s.b, decay));
  }
  }
  llvm_unreachable("unknown activation");
}

/// The cotangent times the slope; `v` is the input, or the result where `fromResult`.
static Value createActivationGradient(Scalars &s, ActivationKind kind, double alpha, bool fromResult, Value v,
                                      Value dy) {
  Value one = s.constant(1);
  switch (kind) {
  case ActivationKind::Relu:
    return s.ifPositive(v, dy, s.constant(0));
  case ActivationKind::LeakyRelu:
    return s.ifPositive(v, dy, s.mul(s.constant(alpha), dy));
  case ActivationKind::Elu: {
    Value slope = fromResult ? s.add(v, s.constant(alpha)) : s.mul(s.constant(alpha), s.exp(v));
    return s.ifPositive(v, dy, s.mul(dy, slope));
  }
  case ActivationKind::Sigmoid: {
    Value y = fromResult ? v : s.sigmoid(v);
    return s.mul(dy, s.mul(y, s.sub(one, y)));
  }
  case ActivationKind::Tanh: {
    Value y = fromResult ? v : s.tanh(v);
    return s.mul(dy, s.sub(one, s.mul(y, y)));
  }
  case ActivationKind::GeluErf: {
    Value bell = s.exp(s.mul(s.constant(-0.5), s.mul(v, v)));
    return s.mul(dy, s.add(gaussCdf(s, v), s.mul(s.mul(v, s.constant(kGaussPeak)), bell)));
  }
  case ActivationKind::GeluTanh: {
    Value t = geluTanh(s, v), half = s.constant(0.5);
    Value inner = s.add(one, s.mul(s.constant(3 * kGeluCubic), s.mul(v, v)));
    Value rise = s.mul(s.mul(s.sub(one, s.mul(t, t)), s.mul(v, s.constant(kSqrtTwoOverPi))), inner);
    return s.mul(dy, s.mul(half, s.add(s.add(one, t), rise)));
  }
  case ActivationKind::Silu: {
    Value y = s.sigmoid(v);
    return s.mul(dy, s.mul(y, s.add(one, s.mul(v, s.sub(one, y)))));
  }
  case ActivationKind::Softplus:
    return s.mul(dy, s.sigmoid(v));
  }
  llvm_unreachable("unknown activation");
}

namespace {

struct ActivationToLinalg : OpRewritePattern<ActivationOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ActivationOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op,
                       createElementwise(rewriter, op.getLoc(), tensorTypeOf(op.getInput()), op.getInput(),
                                         [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                           Scalars s(b, v[0].getType());
                                           double alpha = op.getAlpha().convertToDouble();
                                           return {createActivation(s, op.getKind(), alpha, v[0])};
                                         }));
    return success();
  }
};

struct ActivationGradientToLinalg : OpRewritePattern<ActivationGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ActivationGradientOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op,
                       createElementwise(rewriter, op.getLoc(), tensorTypeOf(op.getSaved()),
                                         ValueRange{op.getSaved(), op.getCotangent()},
                                         [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                           Scalars s(b, v[0].getType());
                                           return {createActivationGradient(s, op.getKind(),
                                                                            op.getAlpha().convertToDouble(),
                                                                            op.getFromResult(), v[0], v[1])};
                                         }));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Shapes and sums
//===----------------------------------------------------------------------===//

SmallVector<IteratorType> allParallel(int64_t rank) {
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

struct BroadcastToLinalg : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    RankedTensorType in = tensorTypeOf(op.getInput()), out = tensorTypeOf(op.getOutput());
    int64_t shift = out.getRank() - in.getRank();
    SmallVector<AffineExpr> source;
    for (int64_t d = 0; d < in.getRank(); ++d) {
      bool stretched = in.getDimSize(d) == 1 && out.getDimSize(d + shift) != 1;
      source.push_back(stretched ? rewriter.getAffineConstantExpr(0) : rewriter.getAffineDimExpr(d + shift));
    }
    AffineMap map = AffineMap::get(out.getRank(), 0, source, rewriter.getContext());
    rewriter.replaceOp(op, createMove(rewriter, op.getLoc(), op.getInput(), map, out));
    return success();
  }
};

struct TransposeToLinalg : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    RankedTensorType out = tensorTypeOf(op.getOutput());
    SmallVector<AffineExpr> source(out.getRank());
    for (auto [i, from] : llvm::enumerate(op.getPermutation()))
      source[from] = rewriter.getAffineDimExpr(i);
    AffineMap map = AffineMap::get(out.getRank(), 0, source, rewriter.getContext());
    rewriter.replaceOp(op, createMove(rewriter, op.getLoc(), op.getInput(), map, out));
    return success();
  }
};

struct ReshapeToTensor : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    RankedTensorType in = tensorTypeOf(op.getInput()), out = tensorTypeOf(op.getOutput());
    Location loc = op.getLoc();
    auto flatGroups = [](int64_t rank) {
      SmallVector<ReassociationIndices> groups;
      if (rank > 0)
        groups.emplace_back(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
      return groups;
    };
    Value flat = op.getInput();
    auto flatType = RankedTensorType::get({in.getNumElements()}, in.getElementType());
    if (in.getRank() == 0)
      flat = tensor::ExpandShapeOp::create(rewriter, loc, flatType, flat, flatGroups(0));
    else if (in.getRank() > 1)
      flat = tensor::CollapseShapeOp::create(rewriter, loc, flatType, flat, flatGroups(in.getRank()));
    if (out.getRank() == 0)
      flat = tensor::CollapseShapeOp::create(rewriter, loc, out, flat, flatGroups(0));
    else if (out.getRank() > 1)
      flat = tensor::ExpandShapeOp::create(rewriter, loc, out, flat, flatGroups(out.getRank()));
    rewriter.replaceOp(op, flat);
    return success();
  }
};

struct ReduceSumToLinalg : OpRewritePattern<ReduceSumOp> {
  using OpRewritePattern::OpRewritePattern;

  /// Loops: the summed dimensions first, so that the innermost loop runs along the last kept one and
  /// vectorises without reordering sums; where the last dimension itself is summed it stays innermost, and
  /// the sum may be reordered.
  LogicalResult matchAndRewrite(ReduceSumOp op, PatternRewriter &rewriter) const override {
    RankedTensorType in = tensorTypeOf(op.getInput()), out = tensorTypeOf(op.getOutput());
    SmallVector<int64_t> summed(op.getDims()), kept;
    llvm::sort(summed);
    for (int64_t d = 0; d < in.getRank(); ++d)
      if (!llvm::is_contained(summed, d))
        kept.push_back(d);
    bool lastSummed = llvm::is_contained(summed, in.getRank() - 1);
    SmallVector<int64_t> order = lastSummed ? kept : summed;
    llvm::append_range(order, lastSummed ? summed : kept);

    SmallVector<AffineExpr> inExprs(in.getRank()), outExprs;
    SmallVector<IteratorType> iterators;
    for (auto [loop, d] : llvm::enumerate(order)) {
      inExprs[d] = rewriter.getAffineDimExpr(loop);
      iterators.push_back(llvm::is_contained(summed, d) ? IteratorType::reduction : IteratorType::parallel);
    }
    for (int64_t d : kept)
      outExprs.push_back(inExprs[d]);
    MLIRContext *context = rewriter.getContext();
    Value zero = createFilled(rewriter, op.getLoc(), out, 0);
    auto flags = lastSummed ? arith::FastMathFlags::reassoc : arith::FastMathFlags::none;
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      if (isa<IntegerType>(v[0].getType()))
        return {arith::AddIOp::create(b, v[1], v[0])};
      return {arith::AddFOp::create(b, v[1], v[0], flags)};
    };
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), op.getInput(), zero,
                                         {AffineMap::get(in.getRank(), 0, inExprs, context),
                                          AffineMap::get(in.getRank(), 0, outExprs, context)},
                                         iterators, body));
    return success();
  }
};

struct MatmulToLinalg : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MatmulOp op, PatternRewriter &rewriter) const override {
    RankedTensorType out = tensorTypeOf(op.getOutput());
    int64_t batch = out.getRank() - 2;
    MLIRContext *context = rewriter.getContext();
    // Loops: batch, m, k, n; the innermost runs along rows.
    AffineExpr m = getAffineDimExpr(batch, context), k = getAffineDimExpr(batch + 1, context),
               n = getAffineDimExpr(batch + 2, context);
    auto map = [&](AffineExpr x, AffineExpr y) {
      SmallVector<AffineExpr> exprs;
      for (int64_t d = 0; d < batch; ++d)
        exprs.push_back(getAffineDimExpr(d, context));
      exprs.append({x, y});
      return AffineMap::get(batch + 3, 0, exprs, context);
    };
    SmallVector<IteratorType> iterators = allParallel(batch + 3);
    iterators[batch + 1] = IteratorType::reduction;
    Value zero = createFilled(rewriter, op.getLoc(), out, 0);
    auto body = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      return {s.add(v[2], s.mul(v[0], v[1]))};
    };
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), ValueRange{op.getLhs(), op.getRhs()}, zero,
                                         {map(m, k), map(k, n), map(m, n)}, iterators, body));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Ops that depend on the rank, and identities
//===----------------------------------------------------------------------===//

struct LocalSliceToLinalg : OpRewritePattern<LocalSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LocalSliceOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getOutput());
    Value rank = getScalarArgument(op->getParentOfType<func::FuncOp>(), "rank");
    Value init = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Value block = arith::IndexCastOp::create(b, b.getIndexType(), v[0]);
      Value size = arith::ConstantIndexOp::create(b, type.getDimSize(op.getDim()));
      Value start = arith::MulIOp::create(b, block, size);
      SmallVector<Value> indices;
      for (int64_t d = 0; d < type.getRank(); ++d) {
        Value index = linalg::IndexOp::create(b, d);
        indices.push_back(
            d == static_cast<int64_t>(op.getDim()) ? Value(arith::AddIOp::create(b, start, index)) : index);
      }
      return {tensor::ExtractOp::create(b, op.getInput(), indices)};
    };
    MLIRContext *context = rewriter.getContext();
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), rank, init,
                                         {AffineMap::get(type.getRank(), 0, context),
                                          rewriter.getMultiDimIdentityMap(type.getRank())},
                                         allParallel(type.getRank()), body));
    return success();
  }
};

struct MaskOwnBlockToLinalg : OpRewritePattern<MaskOwnBlockOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MaskOwnBlockOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getInput());
    int64_t rows = type.getDimSize(0) / getAxisSize(op, op.getMeshAttr(), op.getAxis());
    Value rank = getScalarArgument(op->getParentOfType<func::FuncOp>(), "rank");
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Value block = arith::IndexCastOp::create(b, b.getIndexType(), v[0]);
      Value size = arith::ConstantIndexOp::create(b, rows);
      Value start = arith::MulIOp::create(b, block, size), end = arith::AddIOp::create(b, start, size);
      Value row = linalg::IndexOp::create(b, 0);
      Value behind = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, row, start);
      Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, row, end);
      Value own = arith::AndIOp::create(b, behind, before);
      Value zero = Scalars(b, v[1].getType()).constant(0);
      return {arith::SelectOp::create(b, own, zero, v[1])};
    };
    // The input is the output: masked in place where nothing else reads it.
    AffineMap all = rewriter.getMultiDimIdentityMap(type.getRank());
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), rank, op.getInput(),
                                         {AffineMap::get(type.getRank(), 0, rewriter.getContext()), all},
                                         allParallel(type.getRank()), body));
    return success();
  }
};

struct DropReplicate : OpRewritePattern<ReplicateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReplicateOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, op.getInput());
    return success();
  }
};

} // namespace

void mlir::phantom::populateModelToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<ActivationToLinalg, ActivationGradientToLinalg, BroadcastToLinalg, TransposeToLinalg,
               ReshapeToTensor, ReduceSumToLinalg, MatmulToLinalg, LocalSliceToLinalg, MaskOwnBlockToLinalg,
               DropReplicate>(patterns.getContext());
}
