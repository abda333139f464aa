//===- StatisticsToLinalg.cpp - Statistics of samples as linalg.generic ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Samples.h"

#include <limits>

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// The rows of packed statistics of a layer norm, from mean and M2.
SmallVector<Value> momentRows(ImplicitLocOpBuilder &b, ValueRange moments, Type element) {
  SmallVector<Value> rows = splitMean(b, moments[0], element);
  rows.push_back(Scalars(b, moments[1].getType()).cast(moments[1], element));
  return rows;
}

struct StatisticsToLinalg : OpRewritePattern<StatisticsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(StatisticsOp op, PatternRewriter &rewriter) const override {
    Samples samples(rewriter, op.getLoc(), tensorTypeOf(op.getInput()), op.getDims());
    RankedTensorType result = tensorTypeOf(op.getOutput());
    Type element = samples.element();
    if (op.getKind() == StatisticsKind::Rms) {
      Value squares = createSquares(samples, op.getInput());
      auto narrow = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
        return {Scalars(b, samples.f64).cast(v[0], element)};
      };
      rewriter.replaceOp(op, samples.samplewise(samples.sample(squares), element, narrow));
    } else if (op.getKind() == StatisticsKind::Layer) {
      auto [mean, m2] = createMoments(samples, op.getInput());
      rewriter.replaceOp(op, samples.pack(result, 1, {mean, m2}, [&](ImplicitLocOpBuilder &b, ValueRange v) {
        return momentRows(b, v, element);
      }));
    } else {
      auto [max, sum] = createSoftmaxStatistics(rewriter, op.getLoc(), op.getInput(), op.getDims().front());
      auto same = [](ImplicitLocOpBuilder &, ValueRange v) { return SmallVector<Value>(v); };
      rewriter.replaceOp(op, samples.pack(result, 1, {max, sum}, same));
    }
    return success();
  }
};

struct MergeStatisticsToLinalg : OpRewritePattern<MergeStatisticsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MergeStatisticsOp op, PatternRewriter &rewriter) const override {
    // Of the gathered [p, values, samples…], dimensions 0 and 1 are not the samples'.
    RankedTensorType in = tensorTypeOf(op.getInput());
    Samples samples(rewriter, op.getLoc(), in, {0, 1});
    auto merged =
        op.getKind() == StatisticsKind::Layer ? mergeMoments(samples, op) : mergeExponentials(samples, op);
    rewriter.replaceOp(op, merged);
    return success();
  }

private:
  static Value mergeMoments(const Samples &samples, MergeStatisticsOp op) {
    Value parts = op.getInput();
    Type f64 = samples.f64;
    auto count = static_cast<double>(tensorTypeOf(parts).getDimSize(0));
    auto mean = [&](Scalars &s, ValueRange v) { return s.add(s.cast(v[0], f64), s.cast(v[1], f64)); };
    Value sum = samples.mergeParts({samples.part(parts, 0), samples.part(parts, 1)}, 0,
                                   [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                     Scalars s(b, f64);
                                     return {s.add(v[2], mean(s, v))};
                                   });
    Value whole = samples.samplewise(samples.sample(sum), f64, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, f64);
      return SmallVector<Value>{s.div(v[0], s.constant(count))};
    })[0];
    Value m2 = samples.mergeParts(
        {samples.part(parts, 0), samples.part(parts, 1), samples.part(parts, 2), samples.ofPart(whole)}, 0,
        [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
          Scalars s(b, f64);
          Value difference = s.sub(mean(s, v), v[3]);
          Value between =
              s.mul(s.constant(static_cast<double>(op.getPartsOf())), s.mul(difference, difference));
          return {s.add(v[4], s.add(s.cast(v[2], f64), between))};
        });
    return samples.pack(
        tensorTypeOf(op.getOutput()), 0, {whole, m2},
        [&](ImplicitLocOpBuilder &b, ValueRange v) { return momentRows(b, v, samples.element()); });
  }

  static Value mergeExponentials(const Samples &samples, MergeStatisticsOp op) {
    Value parts = op.getInput();
    Type f64 = samples.f64;
    Value max = samples.mergeParts(samples.part(parts, 0), -std::numeric_limits<double>::infinity(),
                                   [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                     Scalars s(b, f64);
                                     return {s.max(s.cast(v[0], f64), v[1])};
                                   });
    Value sum = samples.mergeParts({samples.part(parts, 0), samples.part(parts, 1), samples.ofPart(max)}, 0,
                                   [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                     Scalars s(b, f64);
                                     Value scale = s.exp(s.sub(s.cast(v[0], f64), v[2]));
                                     return {s.add(v[3], s.mul(s.cast(v[1], f64), scale))};
                                   });
    return samples.pack(
        tensorTypeOf(op.getOutput()), 0, {max, sum}, [&](ImplicitLocOpBuilder &b, ValueRange v) {
          Scalars s(b, f64);
          return llvm::map_to_vector(v, [&](Value value) { return s.cast(value, samples.element()); });
        });
  }
};

} // namespace

void mlir::phantom::populateStatisticsToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<StatisticsToLinalg, MergeStatisticsToLinalg>(patterns.getContext());
}
