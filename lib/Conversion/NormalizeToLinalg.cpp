//===- NormalizeToLinalg.cpp - Normalisation as linalg.generic ------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Samples.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// What normalises the elements of a sample: their mean in two parts (not for rms), and r.
struct Normalizer {
  SmallVector<Read> reads; ///< after x
  bool centered;

  /// x̂ in a kernel over elements: v is x, then the values of `reads`.
  Value apply(Scalars &s, ValueRange v) const {
    if (!centered)
      return s.mul(v[0], v[1]);
    return s.mul(s.sub(s.sub(v[0], v[1]), v[2]), v[3]);
  }
};

/// r = (total/n + ε)^(−1/2) of each sample, in the element type.
Value createReciprocal(const Samples &samples, Read total, int64_t count, double epsilon) {
  return samples.samplewise(total, samples.element(), [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, samples.f64);
    Value mean = s.div(s.cast(v[0], samples.f64), s.constant(static_cast<double>(count)));
    Value root = s.sqrt(s.add(mean, s.constant(epsilon)));
    return SmallVector<Value>{s.cast(s.div(s.constant(1), root), samples.element())};
  })[0];
}

template <typename Op> Normalizer createNormalizer(const Samples &samples, Op op) {
  Value x = op.getInput(), told = op.getStatistics();
  int64_t count = op.getSampleElements();
  double epsilon = op.getEpsilon().convertToDouble();
  if (op.getKind() == NormalizeKind::Rms) {
    Value squares = told ? told : createSquares(samples, x);
    Value r = createReciprocal(samples, samples.sample(squares), count, epsilon);
    return {{samples.ofSample(r)}, false};
  }
  if (told) {
    Value r = createReciprocal(samples, samples.sample(told, 2), count, epsilon);
    return {{samples.ofSample(told, 0), samples.ofSample(told, 1), samples.ofSample(r)}, true};
  }
  auto [mean, m2] = createMoments(samples, x);
  Value r = createReciprocal(samples, samples.sample(m2), count, epsilon);
  SmallVector<Value> parts = samples.samplewise(
      samples.sample(mean), {samples.element(), samples.element()},
      [&](ImplicitLocOpBuilder &b, ValueRange v) { return splitMean(b, v[0], samples.element()); });
  return {{samples.ofSample(parts[0]), samples.ofSample(parts[1]), samples.ofSample(r)}, true};
}

/// A normalisation of the last dimensions, as its kernels over elements read it: x, then what normalises it.
struct Normalization {
  template <typename Op>
  Normalization(OpBuilder &b, Op op)
      : samples(b, op.getLoc(), tensorTypeOf(op.getInput()), lastDims(op.getInput(), op.getOver())),
        normalizer(createNormalizer(samples, op)), reads{samples.each(op.getInput())} {
    llvm::append_range(reads, normalizer.reads);
  }

  static SmallVector<int64_t> lastDims(Value x, int64_t over) {
    int64_t rank = tensorTypeOf(x).getRank();
    return llvm::to_vector(llvm::seq<int64_t>(rank - over, rank));
  }

  Samples samples;
  Normalizer normalizer;
  SmallVector<Read> reads;
};

struct NormalizeToLinalg : OpRewritePattern<NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeOp op, PatternRewriter &rewriter) const override {
    Normalization n(rewriter, op);
    SmallVector<Read> reads = n.reads;
    for (Value parameter : {op.getScale(), op.getShift()})
      if (parameter)
        reads.push_back(n.samples.shared(parameter));
    rewriter.replaceOp(op, n.samples.elementwise(reads, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, n.samples.element());
      Value y = n.normalizer.apply(s, v);
      unsigned next = n.reads.size();
      if (op.getScale())
        y = s.mul(y, v[next++]);
      if (op.getShift())
        y = s.add(y, v[next]);
      return SmallVector<Value>{y};
    }));
    return success();
  }
};

/// Σ g (not for rms) and Σ g ⊙ x̂ of each sample, in f64.
template <typename Op> SmallVector<Value> createGradientSums(const Normalization &n, Op op) {
  SmallVector<Read> reads = n.reads;
  reads.push_back(n.samples.each(op.getCotangent()));
  if (op.getScale())
    reads.push_back(n.samples.shared(op.getScale()));
  unsigned sums = n.normalizer.centered ? 2 : 1;
  return n.samples.sum(reads, sums, [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, n.samples.element());
    unsigned at = n.reads.size();
    Value g = op.getScale() ? s.mul(v[at], v[at + 1]) : v[at];
    SmallVector<Value> terms;
    if (n.normalizer.centered)
      terms.push_back(g);
    terms.push_back(s.mul(g, n.normalizer.apply(s, v)));
    return terms;
  });
}

struct NormalizeSumsToLinalg : OpRewritePattern<NormalizeSumsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeSumsOp op, PatternRewriter &rewriter) const override {
    Normalization n(rewriter, op);
    SmallVector<Value> sums = createGradientSums(n, op);
    auto narrow = [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, n.samples.f64);
      return llvm::map_to_vector(v, [&](Value sum) { return s.cast(sum, n.samples.element()); });
    };
    rewriter.replaceOp(op, n.samples.pack(tensorTypeOf(op.getSums()), 0, sums, narrow));
    return success();
  }
};

/// r·(g − Σg/n − x̂·Σ(g ⊙ x̂)/n), without the first sum for rms
struct NormalizeGradientToLinalg : OpRewritePattern<NormalizeGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeGradientOp op, PatternRewriter &rewriter) const override {
    Normalization n(rewriter, op);
    SmallVector<Read> reads = n.reads;
    llvm::append_range(reads, createMeans(n, op));
    unsigned at = reads.size();
    reads.push_back(n.samples.each(op.getCotangent()));
    if (op.getScale())
      reads.push_back(n.samples.shared(op.getScale()));
    rewriter.replaceOp(op, n.samples.elementwise(reads, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, n.samples.element());
      Value g = op.getScale() ? s.mul(v[at], v[at + 1]) : v[at];
      if (n.normalizer.centered)
        g = s.sub(g, v[at - 2]);
      Value r = v[n.normalizer.reads.size()];
      return SmallVector<Value>{s.mul(r, s.sub(g, s.mul(n.normalizer.apply(s, v), v[at - 1])))};
    }));
    return success();
  }

private:
  /// The sums by n, in the element type: of this rank, or as told.
  static SmallVector<Read> createMeans(const Normalization &n, NormalizeGradientOp op) {
    const Samples &samples = n.samples;
    SmallVector<Read> sums;
    if (op.getSums())
      for (int64_t row = 0; row < (n.normalizer.centered ? 2 : 1); ++row)
        sums.push_back(samples.sample(op.getSums(), row));
    else
      for (Value sum : createGradientSums(n, op))
        sums.push_back(samples.sample(sum));
    SmallVector<Type> types(sums.size(), samples.element());
    SmallVector<Value> means = samples.samplewise(sums, types, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, samples.f64);
      Value count = s.constant(static_cast<double>(op.getSampleElements()));
      return llvm::map_to_vector(v.take_front(sums.size()), [&](Value sum) {
        return s.cast(s.div(s.cast(sum, samples.f64), count), samples.element());
      });
    });
    return llvm::map_to_vector(means, [&](Value mean) { return samples.ofSample(mean); });
  }
};

} // namespace

void mlir::phantom::populateNormalizeToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<NormalizeToLinalg, NormalizeSumsToLinalg, NormalizeGradientToLinalg>(patterns.getContext());
}
