//===- Samples.cpp - Kernels over the samples of an activation ------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Samples.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

static SmallVector<IteratorType> parallel(int64_t rank) {
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

Samples::Samples(OpBuilder &b, Location loc, RankedTensorType type, ArrayRef<int64_t> dims)
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

SmallVector<Value> Samples::generic(ArrayRef<Read> reads, ValueRange inits, ArrayRef<AffineMap> initMaps,
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

std::pair<Value, Value> mlir::phantom::createMoments(const Samples &samples, Value x) {
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

Value mlir::phantom::createSquares(const Samples &samples, Value x) {
  return samples.sum(samples.each(x), 1, [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, samples.f64);
    Value wide = s.cast(v[0], samples.f64);
    return SmallVector<Value>{s.mul(wide, wide)};
  })[0];
}

SmallVector<Value> mlir::phantom::splitMean(ImplicitLocOpBuilder &b, Value mean, Type element) {
  Scalars s(b, mean.getType());
  Value high = s.cast(mean, element);
  Value rest = s.cast(s.sub(mean, s.cast(high, mean.getType())), element);
  return {high, rest};
}
