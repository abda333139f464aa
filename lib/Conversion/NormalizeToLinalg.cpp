//===- NormalizeToLinalg.cpp - Normalisation and softmax as linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Sums over samples accumulate in f64. A mean is kept in two parts, what its type holds and the rest, so that
// x − mean is accurate however large the mean is, and elementwise work stays in the element type.
//
//===----------------------------------------------------------------------===//

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

/// A tensor, and how a kernel reads it.
struct Read {
  Value value;
  AffineMap map;
};

/// The samples of an activation: `dims` of it are one sample's.
class Samples {
public:
  Samples(OpBuilder &b, Location loc, RankedTensorType type, ArrayRef<int64_t> dims)
      : b(b), loc(loc), type(type), dims(dims), f64(b.getF64Type()) {
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (!llvm::is_contained(dims, d)) {
        kept.push_back(b.getAffineDimExpr(d));
        shape.push_back(type.getDimSize(d));
      } else {
        inside.push_back(b.getAffineDimExpr(d));
        elements *= type.getDimSize(d);
      }
  }

  Type element() const { return type.getElementType(); }
  RankedTensorType perSample(Type of) const { return RankedTensorType::get(shape, of); }

  /// In kernels over elements: each element, its sample's value (in row `row` of packed values), and what all
  /// samples share.
  Read each(Value value) const { return {value, b.getMultiDimIdentityMap(type.getRank())}; }
  Read ofSample(Value value) const { return {value, map(type.getRank(), kept)}; }
  Read ofSample(Value packed, int64_t row) const { return {packed, map(type.getRank(), withRow(kept, row))}; }
  Read shared(Value value) const { return {value, map(type.getRank(), inside)}; }

  /// In kernels over samples.
  Read sample(Value value) const { return {value, map(shape.size(), sampleDims(0))}; }
  Read sample(Value packed, int64_t row) const {
    return {packed, map(shape.size(), withRow(sampleDims(0), row))};
  }

  /// Per sample and in f64, the sum of a function of the elements. It may be reordered, so that it
  /// vectorises.
  SmallVector<Value> sum(ArrayRef<Read> reads, unsigned sums, GenericBody terms) const;
  /// A function of every element.
  Value elementwise(ArrayRef<Read> reads, GenericBody body) const;
  /// Functions of every sample's values.
  SmallVector<Value> samplewise(ArrayRef<Read> reads, TypeRange elements, GenericBody body) const;
  /// Several values per sample in one tensor, along dimension `along` of `result`.
  Value pack(RankedTensorType result, int64_t along, ValueRange values, GenericBody body) const;
  /// Per sample, the parts' values reduced in their order, in f64.
  Value mergeParts(ArrayRef<Read> reads, double start, GenericBody body) const;
  /// In kernels over (part, sample): row `row` of the part's values, and a value of the sample.
  Read part(Value gathered, int64_t row) const;
  Read ofPart(Value value) const { return {value, map(shape.size() + 1, sampleDims(1))}; }

  OpBuilder &b;
  Location loc;
  RankedTensorType type;
  ArrayRef<int64_t> dims;
  Type f64;
  int64_t elements = 1; ///< of a sample
  SmallVector<int64_t> shape;

private:
  AffineMap map(int64_t loops, ArrayRef<AffineExpr> exprs) const {
    return AffineMap::get(loops, 0, exprs, b.getContext());
  }
  SmallVector<AffineExpr> sampleDims(int64_t first) const {
    SmallVector<AffineExpr> exprs;
    for (size_t d = 0; d < shape.size(); ++d)
      exprs.push_back(b.getAffineDimExpr(first + d));
    return exprs;
  }
  SmallVector<AffineExpr> withRow(ArrayRef<AffineExpr> exprs, int64_t row) const {
    SmallVector<AffineExpr> result{b.getAffineConstantExpr(row)};
    llvm::append_range(result, exprs);
    return result;
  }
  SmallVector<Value> generic(ArrayRef<Read> reads, ValueRange inits, ArrayRef<AffineMap> initMaps,
                             ArrayRef<IteratorType> iterators, GenericBody body) const {
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (const Read &read : reads) {
      inputs.push_back(read.value);
      maps.push_back(read.map);
    }
    llvm::append_range(maps, initMaps);
    return createGeneric(b, loc, inputs, inits, maps, iterators, body);
  }

  SmallVector<AffineExpr> kept, inside;
};

SmallVector<IteratorType> parallel(int64_t rank) {
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

SmallVector<Value> Samples::sum(ArrayRef<Read> reads, unsigned sums, GenericBody terms) const {
  SmallVector<IteratorType> iterators = parallel(type.getRank());
  for (int64_t d : dims)
    iterators[d] = IteratorType::reduction;
  SmallVector<Value> zeros;
  for (unsigned i = 0; i < sums; ++i)
    zeros.push_back(createFilled(b, loc, perSample(f64), 0));
  SmallVector<AffineMap> maps(sums, ofSample(Value()).map);
  auto body = [&](ImplicitLocOpBuilder &nested, ValueRange v) {
    SmallVector<Value> result = terms(nested, v.drop_back(sums));
    for (auto [term, acc] : llvm::zip(result, v.take_back(sums)))
      term = arith::AddFOp::create(nested, acc, Scalars(nested, f64).cast(term, f64),
                                   arith::FastMathFlags::reassoc);
    return result;
  };
  return generic(reads, zeros, maps, iterators, body);
}

Value Samples::elementwise(ArrayRef<Read> reads, GenericBody body) const {
  Value init = tensor::EmptyOp::create(b, loc, type.getShape(), element());
  return generic(reads, init, each(Value()).map, parallel(type.getRank()), body).front();
}

SmallVector<Value> Samples::samplewise(ArrayRef<Read> reads, TypeRange types, GenericBody body) const {
  SmallVector<Value> inits;
  for (Type of : types)
    inits.push_back(tensor::EmptyOp::create(b, loc, shape, of));
  SmallVector<AffineMap> maps(types.size(), b.getMultiDimIdentityMap(shape.size()));
  return generic(reads, inits, maps, parallel(shape.size()), body);
}

Value Samples::pack(RankedTensorType result, int64_t along, ValueRange values, GenericBody body) const {
  int64_t rank = result.getRank();
  Value init = tensor::EmptyOp::create(b, loc, result.getShape(), result.getElementType());
  SmallVector<Read> reads;
  for (Value value : values)
    reads.push_back({value, map(rank, sampleDims(along + 1))});
  auto select = [&](ImplicitLocOpBuilder &nested, ValueRange v) -> SmallVector<Value> {
    SmallVector<Value> rows = body(nested, v.drop_back());
    Value index = linalg::IndexOp::create(nested, along), chosen = rows.front();
    for (auto [row, value] : llvm::drop_begin(llvm::enumerate(rows))) {
      Value own = arith::ConstantIndexOp::create(nested, static_cast<int64_t>(row));
      Value here = arith::CmpIOp::create(nested, arith::CmpIPredicate::eq, index, own);
      chosen = arith::SelectOp::create(nested, here, value, chosen);
    }
    return {chosen};
  };
  return generic(reads, init, b.getMultiDimIdentityMap(rank), parallel(rank), select).front();
}

Read Samples::part(Value gathered, int64_t row) const {
  SmallVector<AffineExpr> exprs{b.getAffineDimExpr(0), b.getAffineConstantExpr(row)};
  llvm::append_range(exprs, sampleDims(1));
  return {gathered, map(shape.size() + 1, exprs)};
}

Value Samples::mergeParts(ArrayRef<Read> reads, double start, GenericBody body) const {
  SmallVector<IteratorType> iterators = parallel(shape.size() + 1);
  iterators[0] = IteratorType::reduction;
  Value init = createFilled(b, loc, perSample(f64), start);
  return generic(reads, init, ofPart(Value()).map, iterators, body).front();
}

//===----------------------------------------------------------------------===//
// Values of samples
//===----------------------------------------------------------------------===//

/// Mean and M2 in f64, in two passes.
std::pair<Value, Value> createMoments(const Samples &samples, Value x) {
  Value sum = samples.sum(samples.each(x), 1,
                          [](ImplicitLocOpBuilder &, ValueRange v) { return SmallVector<Value>{v[0]}; })[0];
  Value mean =
      samples.samplewise(samples.sample(sum), samples.f64, [&](ImplicitLocOpBuilder &b, ValueRange v) {
        Scalars s(b, samples.f64);
        return SmallVector<Value>{s.div(v[0], s.constant(static_cast<double>(samples.elements)))};
      })[0];
  Value m2 =
      samples.sum({samples.each(x), samples.ofSample(mean)}, 1, [&](ImplicitLocOpBuilder &b, ValueRange v) {
        Scalars s(b, samples.f64);
        Value difference = s.sub(s.cast(v[0], samples.f64), v[1]);
        return SmallVector<Value>{s.mul(difference, difference)};
      })[0];
  return {mean, m2};
}

Value createSquares(const Samples &samples, Value x) {
  return samples.sum(samples.each(x), 1, [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, samples.f64);
    Value wide = s.cast(v[0], samples.f64);
    return SmallVector<Value>{s.mul(wide, wide)};
  })[0];
}

/// The mean as the element type holds it, and the rest.
SmallVector<Value> splitMean(ImplicitLocOpBuilder &b, Value mean, Type element) {
  Scalars s(b, mean.getType());
  Value high = s.cast(mean, element);
  Value rest = s.cast(s.sub(mean, s.cast(high, mean.getType())), element);
  return {high, rest};
}

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

SmallVector<int64_t> sampleDims(RankedTensorType type, int64_t over) {
  return llvm::to_vector(llvm::seq<int64_t>(type.getRank() - over, type.getRank()));
}

//===----------------------------------------------------------------------===//
// Normalisation
//===----------------------------------------------------------------------===//

struct NormalizeToLinalg : OpRewritePattern<NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getInput());
    SmallVector<int64_t> dims = sampleDims(type, op.getOver());
    Samples samples(rewriter, op.getLoc(), type, dims);
    Normalizer normalizer = createNormalizer(samples, op);
    SmallVector<Read> reads{samples.each(op.getInput())};
    llvm::append_range(reads, normalizer.reads);
    for (Value parameter : {op.getScale(), op.getShift()})
      if (parameter)
        reads.push_back(samples.shared(parameter));
    rewriter.replaceOp(op, samples.elementwise(reads, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, type.getElementType());
      Value y = normalizer.apply(s, v);
      unsigned next = 1 + normalizer.reads.size();
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
template <typename Op>
SmallVector<Value> createGradientSums(const Samples &samples, Op op, const Normalizer &normalizer) {
  SmallVector<Read> reads{samples.each(op.getInput())};
  llvm::append_range(reads, normalizer.reads);
  reads.push_back(samples.each(op.getCotangent()));
  if (op.getScale())
    reads.push_back(samples.shared(op.getScale()));
  return samples.sum(reads, normalizer.centered ? 2 : 1, [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, samples.element());
    unsigned at = 1 + normalizer.reads.size();
    Value g = op.getScale() ? s.mul(v[at], v[at + 1]) : v[at];
    SmallVector<Value> terms;
    if (normalizer.centered)
      terms.push_back(g);
    terms.push_back(s.mul(g, normalizer.apply(s, v)));
    return terms;
  });
}

struct NormalizeSumsToLinalg : OpRewritePattern<NormalizeSumsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeSumsOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getInput());
    SmallVector<int64_t> dims = sampleDims(type, op.getOver());
    Samples samples(rewriter, op.getLoc(), type, dims);
    SmallVector<Value> sums = createGradientSums(samples, op, createNormalizer(samples, op));
    rewriter.replaceOp(
        op, samples.pack(tensorTypeOf(op.getSums()), 0, sums, [&](ImplicitLocOpBuilder &b, ValueRange v) {
          Scalars s(b, samples.f64);
          return llvm::map_to_vector(v, [&](Value sum) { return s.cast(sum, samples.element()); });
        }));
    return success();
  }
};

/// r·(g − Σg/n − x̂·Σ(g ⊙ x̂)/n), without the first sum for rms
struct NormalizeGradientToLinalg : OpRewritePattern<NormalizeGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeGradientOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getInput());
    SmallVector<int64_t> dims = sampleDims(type, op.getOver());
    Samples samples(rewriter, op.getLoc(), type, dims);
    Normalizer normalizer = createNormalizer(samples, op);
    SmallVector<Read> reads{samples.each(op.getInput())};
    llvm::append_range(reads, normalizer.reads);
    llvm::append_range(reads, createMeans(samples, op, normalizer));
    unsigned at = reads.size();
    reads.push_back(samples.each(op.getCotangent()));
    if (op.getScale())
      reads.push_back(samples.shared(op.getScale()));
    rewriter.replaceOp(op, samples.elementwise(reads, [&](ImplicitLocOpBuilder &b, ValueRange v) {
      Scalars s(b, type.getElementType());
      Value g = op.getScale() ? s.mul(v[at], v[at + 1]) : v[at];
      if (normalizer.centered)
        g = s.sub(g, v[at - 2]);
      Value r = v[normalizer.reads.size()];
      return SmallVector<Value>{s.mul(r, s.sub(g, s.mul(normalizer.apply(s, v), v[at - 1])))};
    }));
    return success();
  }

private:
  /// The sums by n, in the element type: of this rank, or as told.
  static SmallVector<Read> createMeans(const Samples &samples, NormalizeGradientOp op,
                                       const Normalizer &normalizer) {
    SmallVector<Read> sums;
    if (op.getSums())
      for (int64_t row = 0; row < (normalizer.centered ? 2 : 1); ++row)
        sums.push_back(samples.sample(op.getSums(), row));
    else
      for (Value sum : createGradientSums(samples, op, normalizer))
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

//===----------------------------------------------------------------------===//
// Statistics
//===----------------------------------------------------------------------===//

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
        SmallVector<Value> rows = splitMean(b, v[0], element);
        rows.push_back(Scalars(b, samples.f64).cast(v[1], element));
        return rows;
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
    SmallVector<int64_t> dims{0, 1};
    Samples samples(rewriter, op.getLoc(), in, dims);
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
    return samples.pack(tensorTypeOf(op.getOutput()), 0, {whole, m2},
                        [&](ImplicitLocOpBuilder &b, ValueRange v) {
                          SmallVector<Value> rows = splitMean(b, v[0], samples.element());
                          rows.push_back(Scalars(b, f64).cast(v[1], samples.element()));
                          return rows;
                        });
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

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

struct SoftmaxToLinalg : OpRewritePattern<SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxOp op, PatternRewriter &rewriter) const override {
    RankedTensorType type = tensorTypeOf(op.getInput());
    SmallVector<int64_t> dims{static_cast<int64_t>(op.getDim())};
    Samples samples(rewriter, op.getLoc(), type, dims);
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
    RankedTensorType type = tensorTypeOf(op.getOutput());
    SmallVector<int64_t> dims{static_cast<int64_t>(op.getDim())};
    Samples samples(rewriter, op.getLoc(), type, dims);
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

} // namespace

void mlir::phantom::populateNormalizeToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<NormalizeToLinalg, NormalizeSumsToLinalg, NormalizeGradientToLinalg, StatisticsToLinalg,
               MergeStatisticsToLinalg, SoftmaxToLinalg, SoftmaxGradientToLinalg>(patterns.getContext());
}
