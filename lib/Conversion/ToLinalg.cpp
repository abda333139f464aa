//===- ToLinalg.cpp - Building linalg.generic -*- C++ -*-===//
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

#include <limits>

using namespace mlir;
using namespace mlir::phantom;

Value Scalars::constant(double value) { return arith::ConstantOp::create(b, FloatAttr::get(type, value)); }
Value Scalars::add(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
Value Scalars::sub(Value x, Value y) { return arith::SubFOp::create(b, x, y); }
Value Scalars::mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
Value Scalars::div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
Value Scalars::neg(Value x) { return arith::NegFOp::create(b, x); }
Value Scalars::exp(Value x) { return math::ExpOp::create(b, x); }
Value Scalars::sqrt(Value x) { return math::SqrtOp::create(b, x); }
Value Scalars::tanh(Value x) { return math::TanhOp::create(b, x); }
Value Scalars::erf(Value x) { return math::ErfOp::create(b, x); }
Value Scalars::max(Value x, Value y) { return arith::MaximumFOp::create(b, x, y); }

Value Scalars::ifPositive(Value x, Value positive, Value other) {
  Value condition = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, constant(0));
  return arith::SelectOp::create(b, condition, positive, other);
}

Value Scalars::sigmoid(Value x) { return div(constant(1), add(constant(1), exp(neg(x)))); }

Value Scalars::cast(Value x, Type to) {
  unsigned from = x.getType().getIntOrFloatBitWidth(), width = to.getIntOrFloatBitWidth();
  if (from == width)
    return x;
  return from < width ? Value(arith::ExtFOp::create(b, to, x)) : Value(arith::TruncFOp::create(b, to, x));
}

RankedTensorType mlir::phantom::tensorTypeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

SmallVector<Value> mlir::phantom::createGeneric(OpBuilder &builder, Location loc, ValueRange inputs,
                                                ValueRange inits, ArrayRef<AffineMap> maps,
                                                ArrayRef<utils::IteratorType> iterators, GenericBody body) {
  auto generic = linalg::GenericOp::create(builder, loc, TypeRange(inits), inputs, inits, maps, iterators,
                                           [&](OpBuilder &nested, Location nestedLoc, ValueRange arguments) {
                                             ImplicitLocOpBuilder b(nestedLoc, nested);
                                             linalg::YieldOp::create(b, body(b, arguments));
                                           });
  return llvm::to_vector_of<Value>(generic.getResults());
}

Value mlir::phantom::createElementwise(OpBuilder &builder, Location loc, RankedTensorType type,
                                       ValueRange inputs, GenericBody body) {
  Value init = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  SmallVector<AffineMap> maps(inputs.size() + 1, builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  return createGeneric(builder, loc, inputs, init, maps, iterators, body).front();
}

SmallVector<Value> mlir::phantom::loopIndices(ImplicitLocOpBuilder &b, int64_t rank) {
  SmallVector<Value> indices;
  for (int64_t d = 0; d < rank; ++d)
    indices.push_back(linalg::IndexOp::create(b, d));
  return indices;
}

Value mlir::phantom::createComputed(
    OpBuilder &builder, Location loc, RankedTensorType type,
    llvm::function_ref<Value(ImplicitLocOpBuilder &, SmallVector<Value>)> body) {
  int64_t rank = type.getRank();
  Value init = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  return createGeneric(builder, loc, {}, init, {builder.getMultiDimIdentityMap(rank)}, iterators,
                       [&](ImplicitLocOpBuilder &b, ValueRange) -> SmallVector<Value> {
                         return {body(b, loopIndices(b, rank))};
                       })
      .front();
}

Value mlir::phantom::createMove(OpBuilder &builder, Location loc, Value input, AffineMap map,
                                RankedTensorType type) {
  Value init = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  auto copy = [](ImplicitLocOpBuilder &, ValueRange v) -> SmallVector<Value> { return {v[0]}; };
  return createGeneric(builder, loc, input, init, {map, identity}, iterators, copy).front();
}

Value mlir::phantom::createFilled(OpBuilder &builder, Location loc, RankedTensorType type, double value) {
  Type element = type.getElementType();
  TypedAttr attribute = isa<FloatType>(element)
                            ? TypedAttr(FloatAttr::get(element, value))
                            : TypedAttr(IntegerAttr::get(element, static_cast<int64_t>(value)));
  Value scalar = arith::ConstantOp::create(builder, loc, attribute);
  Value init = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  return linalg::FillOp::create(builder, loc, scalar, init).getResult(0);
}

Value mlir::phantom::addF64(ImplicitLocOpBuilder &b, Value sum, Value term) {
  return arith::AddFOp::create(b, sum, term, arith::FastMathFlags::reassoc);
}

Value mlir::phantom::createSumF64(OpBuilder &builder, Location loc, ValueRange inputs, Value acc,
                                  llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> body) {
  Type f64 = builder.getF64Type();
  int64_t rank = tensorTypeOf(inputs.front()).getRank();
  if (!acc)
    acc = createFilled(builder, loc, RankedTensorType::get({}, f64), 0);
  SmallVector<AffineMap> maps(inputs.size(), builder.getMultiDimIdentityMap(rank));
  maps.push_back(AffineMap::get(rank, 0, builder.getContext()));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::reduction);
  return createGeneric(builder, loc, inputs, acc, maps, iterators,
                       [&](ImplicitLocOpBuilder &b, ValueRange arguments) -> SmallVector<Value> {
                         return {addF64(b, arguments.back(), body(b, arguments.drop_back()))};
                       })
      .front();
}

std::pair<Value, Value> mlir::phantom::createSoftmaxStatistics(OpBuilder &builder, Location loc, Value logits,
                                                               int64_t dim) {
  RankedTensorType type = tensorTypeOf(logits);
  SmallVector<int64_t> kept(type.getShape());
  kept.erase(kept.begin() + dim);
  auto keptType = RankedTensorType::get(kept, type.getElementType());
  AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
  AffineMap without = all.dropResult(dim);
  SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
  iterators[dim] = utils::IteratorType::reduction;

  Value lowest = createFilled(builder, loc, keptType, -std::numeric_limits<double>::infinity());
  Value max = createGeneric(builder, loc, logits, lowest, {all, without}, iterators,
                            [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                              return {arith::MaximumFOp::create(b, v[0], v[1])};
                            })
                  .front();
  Value zero = createFilled(builder, loc, keptType, 0);
  Value sum = createGeneric(builder, loc, ValueRange{logits, max}, zero, {all, without, without}, iterators,
                            [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                              Scalars s(b, v[0].getType());
                              return {s.add(v[2], s.exp(s.sub(v[0], v[1])))};
                            })
                  .front();
  return {max, sum};
}

Value mlir::phantom::isBetween(ImplicitLocOpBuilder &b, Value value, Value low, Value high) {
  Value above = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, value, low);
  Value below = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, value, high);
  return arith::AndIOp::create(b, above, below);
}

std::pair<Value, Value> mlir::phantom::checkedIndex(ImplicitLocOpBuilder &b, Value number, int64_t extent) {
  Value index = arith::IndexCastOp::create(b, b.getIndexType(), number);
  Value zero = arith::ConstantIndexOp::create(b, 0), end = arith::ConstantIndexOp::create(b, extent);
  Value negative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, zero);
  index = arith::SelectOp::create(b, negative, arith::AddIOp::create(b, index, end), index);
  return {index, isBetween(b, index, zero, end)};
}
