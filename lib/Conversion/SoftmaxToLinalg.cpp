//===- SoftmaxToLinalg.cpp - Softmax as linalg.generic --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Samples.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// The samples of `value` are along the dimension of the softmax.
template <typename Op> Samples samplesOf(OpBuilder &b, Op op, Value value) {
  return Samples(b, op.getLoc(), tensorTypeOf(value), static_cast<int64_t>(op.getDim()));
}

struct SoftmaxToLinalg : OpRewritePattern<SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxOp op, PatternRewriter &rewriter) const override {
    Samples samples = samplesOf(rewriter, op, op.getInput());
    SmallVector<Read> reads{samples.each(op.getInput())};
    if (Value told = op.getStatistics()) {
      reads.append({samples.ofSample(told, 0), samples.ofSample(told, 1)});
    } else {
      auto [max, sum] = createSoftmaxStatistics(rewriter, op.getLoc(), op.getInput(), op.getDim());
      reads.append({samples.ofSample(max), samples.ofSample(sum)});
    }
    auto body = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      return {s.div(s.exp(s.sub(v[0], v[1])), v[2])};
    };
    rewriter.replaceOp(op, samples.elementwise(reads, body));
    return success();
  }
};

struct SoftmaxGradientToLinalg : OpRewritePattern<SoftmaxGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxGradientOp op, PatternRewriter &rewriter) const override {
    Samples samples = samplesOf(rewriter, op, op.getOutput());
    Read y = samples.each(op.getOutput()), dy = samples.each(op.getCotangent());
    Value sum = op.getSum();
    if (!sum)
      sum = samples.sum({y, dy}, 1, [](ImplicitLocOpBuilder &b, ValueRange v) {
        return SmallVector<Value>{Scalars(b, v[0].getType()).mul(v[0], v[1])};
      })[0];
    auto body = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      return {s.mul(v[0], s.sub(v[1], s.cast(v[2], v[0].getType())))};
    };
    rewriter.replaceOp(op, samples.elementwise({y, dy, samples.ofSample(sum)}, body));
    return success();
  }
};

struct LogSoftmaxToLinalg : OpRewritePattern<LogSoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LogSoftmaxOp op, PatternRewriter &rewriter) const override {
    Samples samples = samplesOf(rewriter, op, op.getInput());
    auto [max, sum] = createSoftmaxStatistics(rewriter, op.getLoc(), op.getInput(), op.getDim());
    auto logarithm = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      return {math::LogOp::create(b, v[0])};
    };
    // Of each sum, not of each element.
    Value logSum = createElementwise(rewriter, op.getLoc(), tensorTypeOf(sum), sum, logarithm);
    auto body = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[0].getType());
      return {s.sub(s.sub(v[0], v[1]), v[2])};
    };
    rewriter.replaceOp(
        op, samples.elementwise(
                {samples.each(op.getInput()), samples.ofSample(max), samples.ofSample(logSum)}, body));
    return success();
  }
};

} // namespace

void mlir::phantom::populateSoftmaxToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<SoftmaxToLinalg, SoftmaxGradientToLinalg, LogSoftmaxToLinalg>(patterns.getContext());
}
