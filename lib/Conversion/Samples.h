//===- Samples.h - Kernels over the samples of an activation ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sums over samples accumulate in f64. A mean is kept in two parts, what its type holds and the rest, so that
// x − mean is accurate however large the mean is, and elementwise work stays in the element type.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_SAMPLES_H
#define PHANTOM_LIB_CONVERSION_SAMPLES_H

#include "ToLinalg.h"

namespace mlir::phantom {

/// A tensor, and how a kernel reads it.
struct Read {
  Value value;
  AffineMap map;
};

/// The samples of an activation: `dims` of it are one sample's.
class Samples {
public:
  Samples(OpBuilder &b, Location loc, RankedTensorType type, ArrayRef<int64_t> dims);

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
  SmallVector<int64_t> dims;
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
                             ArrayRef<utils::IteratorType> iterators, GenericBody body) const;

  SmallVector<AffineExpr> kept, inside;
};

/// Mean and M2 of each sample, in f64 and in two passes.
std::pair<Value, Value> createMoments(const Samples &samples, Value x);

/// The sum of the squares of each sample, in f64.
Value createSquares(const Samples &samples, Value x);

/// The mean as the element type holds it, and the rest.
SmallVector<Value> splitMean(ImplicitLocOpBuilder &b, Value mean, Type element);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_SAMPLES_H
