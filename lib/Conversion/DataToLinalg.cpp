//===- DataToLinalg.cpp - Parts of tensors, and element types -------------===//
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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

SmallVector<IteratorType> allParallel(int64_t rank) {
  return SmallVector<IteratorType>(rank, IteratorType::parallel);
}

Value createEmpty(OpBuilder &b, Location loc, RankedTensorType type) {
  return tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
}

Value constantOf(ImplicitLocOpBuilder &b, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, FloatAttr::get(type, value));
  return arith::ConstantOp::create(b, IntegerAttr::get(type, static_cast<int64_t>(value)));
}

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

/// An f32 with the low `dropped` bits of its significand rounded away, to nearest, ties to even.
Value roundSignificand(ImplicitLocOpBuilder &b, Value x, unsigned dropped) {
  Type i32 = b.getI32Type();
  auto bits = [&](uint32_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  Value raw = arith::BitcastOp::create(b, i32, x);
  Value shifted = arith::ShRUIOp::create(b, raw, bits(dropped));
  Value odd = arith::AndIOp::create(b, shifted, bits(1));
  Value bias = arith::AddIOp::create(b, odd, bits((1u << (dropped - 1)) - 1));
  Value sum = arith::AddIOp::create(b, raw, bias);
  Value rounded = arith::AndIOp::create(b, sum, bits(~((1u << dropped) - 1)));
  return arith::BitcastOp::create(b, b.getF32Type(), rounded);
}

/// The nearest value of the narrow type, as f32: without its instructions, which not every CPU has.
Value roundTo(ImplicitLocOpBuilder &b, Value x, NarrowFloat to) {
  Scalars s(b, x.getType());
  bool half = to == NarrowFloat::F16;
  Value rounded = roundSignificand(b, x, half ? 13 : 16);
  if (half) {
    Value magnitude = math::AbsFOp::create(b, x);
    auto less = [&](double limit) -> Value {
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, magnitude, s.constant(limit));
    };
    auto signedAs = [&](Value value) -> Value { return math::CopySignOp::create(b, value, x); };
    // Below the normal numbers, steps of 2⁻²⁴: the last bit of a sum that is between 0.5 and 1.
    Value subnormal = signedAs(s.sub(s.add(magnitude, s.constant(0.5)), s.constant(0.5)));
    Value infinite = signedAs(s.constant(INFINITY));
    rounded = arith::SelectOp::create(b, less(0x1p-14), subnormal, rounded);
    rounded = arith::SelectOp::create(b, less(65520), rounded, infinite);
  }
  Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(b, isNan, x, rounded);
}

/// Without the fraction, in the range of the integer type; NaN becomes zero.
Value floatToInteger(ImplicitLocOpBuilder &b, Value x, IntegerType type, bool isUnsigned) {
  unsigned width = type.getWidth();
  Scalars s(b, x.getType());
  double low = isUnsigned ? 0 : -std::ldexp(1.0, static_cast<int>(width) - 1);
  double end = std::ldexp(1.0, static_cast<int>(isUnsigned ? width : width - 1)); // one too many
  Value below = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, s.constant(low));
  Value above = arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, x, s.constant(end));
  Value number = arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, x, x);
  Value safe = arith::SelectOp::create(b, arith::OrIOp::create(b, below, above), s.constant(0), x);
  safe = arith::SelectOp::create(b, number, safe, s.constant(0));
  Value converted = isUnsigned ? Value(arith::FPToUIOp::create(b, type, safe))
                               : Value(arith::FPToSIOp::create(b, type, safe));
  auto bound = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(b, IntegerAttr::get(type, value));
  };
  APInt lowest = isUnsigned ? APInt::getZero(width) : APInt::getSignedMinValue(width);
  APInt highest = isUnsigned ? APInt::getMaxValue(width) : APInt::getSignedMaxValue(width);
  converted = arith::SelectOp::create(b, above, bound(highest), converted);
  return arith::SelectOp::create(b, below, bound(lowest), converted);
}

Value castScalar(ImplicitLocOpBuilder &b, Value x, Type to, bool fromUnsigned, bool toUnsigned) {
  Type from = x.getType();
  if (from == to)
    return x;
  if (to.isInteger(1)) {
    Value zero = constantOf(b, from, 0);
    if (isa<FloatType>(from))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, zero);
  }
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (fromFloat && toFloat)
    return Scalars(b, from).cast(x, to);
  if (fromFloat)
    return floatToInteger(b, x, cast<IntegerType>(to), toUnsigned);
  bool zeroExtends = fromUnsigned || from.isInteger(1);
  if (toFloat)
    return zeroExtends ? Value(arith::UIToFPOp::create(b, to, x)) : Value(arith::SIToFPOp::create(b, to, x));
  if (from.getIntOrFloatBitWidth() > to.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(b, to, x);
  return zeroExtends ? Value(arith::ExtUIOp::create(b, to, x)) : Value(arith::ExtSIOp::create(b, to, x));
}

struct CastToLinalg : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CastOp op, PatternRewriter &rewriter) const override {
    Type to = tensorTypeOf(op.getOutput()).getElementType();
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Value x = v[0];
      if (auto rounded = op.getRounded())
        x = roundTo(b, castScalar(b, x, b.getF32Type(), op.getUnsignedInput(), false), *rounded);
      return {castScalar(b, x, to, op.getUnsignedInput(), op.getUnsignedOutput())};
    };
    rewriter.replaceOp(
        op, createElementwise(rewriter, op.getLoc(), tensorTypeOf(op.getOutput()), op.getInput(), body));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

struct SliceToLinalg : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SliceOp op, PatternRewriter &rewriter) const override {
    auto body = [&](ImplicitLocOpBuilder &b, SmallVector<Value> indices) -> Value {
      for (auto [index, offset, stride] : llvm::zip(indices, op.getOffsets(), op.getStrides())) {
        if (stride != 1)
          index = arith::MulIOp::create(b, index, arith::ConstantIndexOp::create(b, stride));
        if (offset != 0)
          index = arith::AddIOp::create(b, index, arith::ConstantIndexOp::create(b, offset));
      }
      return tensor::ExtractOp::create(b, op.getInput(), indices);
    };
    rewriter.replaceOp(op, createComputed(rewriter, op.getLoc(), tensorTypeOf(op.getOutput()), body));
    return success();
  }
};

struct SliceGradientToLinalg : OpRewritePattern<SliceGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  /// Each element of the result finds its place in the cotangent, if it has one.
  LogicalResult matchAndRewrite(SliceGradientOp op, PatternRewriter &rewriter) const override {
    RankedTensorType part = tensorTypeOf(op.getCotangent()), whole = tensorTypeOf(op.getGradient());
    if (part.hasStaticShape() && part.getNumElements() == 0) {
      rewriter.replaceOp(op, createFilled(rewriter, op.getLoc(), whole, 0));
      return success();
    }
    auto body = [&](ImplicitLocOpBuilder &b, SmallVector<Value> indices) -> Value {
      auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, value); };
      Value taken = arith::ConstantOp::create(b, b.getBoolAttr(true));
      for (int64_t d = 0; d < whole.getRank(); ++d) {
        int64_t offset = op.getOffsets()[d], stride = op.getStrides()[d];
        if (part.getDimSize(d) == whole.getDimSize(d) && offset == 0 && stride == 1)
          continue;
        Value distance = arith::SubIOp::create(b, indices[d], index(offset));
        Value place = arith::DivSIOp::create(b, distance, index(stride));
        Value rest = arith::RemSIOp::create(b, distance, index(stride));
        Value hit = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, rest, index(0));
        Value inside = isBetween(b, place, index(0), index(part.getDimSize(d)));
        // Division drops the sign of what lies just before the first element; the rest is not zero then.
        taken = arith::AndIOp::create(b, taken, arith::AndIOp::create(b, hit, inside));
        indices[d] = arith::SelectOp::create(b, inside, place, index(0));
      }
      Value value = tensor::ExtractOp::create(b, op.getCotangent(), indices);
      return arith::SelectOp::create(b, taken, value, constantOf(b, value.getType(), 0));
    };
    rewriter.replaceOp(op, createComputed(rewriter, op.getLoc(), whole, body));
    return success();
  }
};

struct ConcatToLinalg : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  /// The element of the input that holds `indices`: of the first if that is not beyond it, and so on.
  static Value extract(ImplicitLocOpBuilder &b, ValueRange inputs, int64_t dim, SmallVector<Value> indices) {
    Value input = inputs.front();
    if (inputs.size() == 1)
      return tensor::ExtractOp::create(b, input, indices);
    Value extent = arith::ConstantIndexOp::create(b, tensorTypeOf(input).getDimSize(dim));
    Value &index = indices[dim];
    Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index, extent);
    auto choice = scf::IfOp::create(
        b, here,
        [&](OpBuilder &nested, Location loc) {
          Value value = tensor::ExtractOp::create(nested, loc, input, indices);
          scf::YieldOp::create(nested, loc, value);
        },
        [&](OpBuilder &nested, Location loc) {
          ImplicitLocOpBuilder inner(loc, nested);
          index = arith::SubIOp::create(inner, index, extent);
          scf::YieldOp::create(inner, extract(inner, inputs.drop_front(), dim, indices));
        });
    return choice.getResult(0);
  }

  LogicalResult matchAndRewrite(ConcatOp op, PatternRewriter &rewriter) const override {
    auto dim = static_cast<int64_t>(op.getDim());
    SmallVector<Value> inputs;
    for (Value input : op.getInputs())
      if (tensorTypeOf(input).getDimSize(dim) != 0)
        inputs.push_back(input);
    if (inputs.empty()) {
      rewriter.replaceOp(op, createEmpty(rewriter, op.getLoc(), tensorTypeOf(op.getOutput())));
      return success();
    }
    auto body = [&](ImplicitLocOpBuilder &b, const SmallVector<Value> &indices) -> Value {
      return extract(b, inputs, dim, indices);
    };
    rewriter.replaceOp(op, createComputed(rewriter, op.getLoc(), tensorTypeOf(op.getOutput()), body));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Gather
//===----------------------------------------------------------------------===//

struct GatherToLinalg : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op, PatternRewriter &rewriter) const override {
    RankedTensorType in = tensorTypeOf(op.getInput()), out = tensorTypeOf(op.getOutput());
    int64_t dim = op.getDim(), count = tensorTypeOf(op.getIndices()).getRank();
    AffineMap all = rewriter.getMultiDimIdentityMap(out.getRank());
    AffineMap places = all.getSliceMap(dim, count);
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      auto [index, valid] = checkedIndex(b, v[0], in.getDimSize(dim));
      SmallVector<Value> loops = loopIndices(b, out.getRank());
      SmallVector<Value> indices(loops.begin(), loops.begin() + dim);
      indices.push_back(arith::SelectOp::create(b, valid, index, arith::ConstantIndexOp::create(b, 0)));
      indices.append(loops.begin() + dim + count, loops.end());
      Value value = tensor::ExtractOp::create(b, op.getInput(), indices);
      double missing = isa<FloatType>(value.getType()) ? NAN : 0;
      return {arith::SelectOp::create(b, valid, value, constantOf(b, value.getType(), missing))};
    };
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), op.getIndices(),
                                         createEmpty(rewriter, op.getLoc(), out), {places, all},
                                         allParallel(out.getRank()), body));
    return success();
  }
};

} // namespace

void mlir::phantom::populateDataToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<CastToLinalg, SliceToLinalg, SliceGradientToLinalg, ConcatToLinalg, GatherToLinalg>(
      patterns.getContext());
}
