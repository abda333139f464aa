//===- EncodingToLinalg.cpp - Encoded blocks of exchanges as linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Philox.h"
#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

constexpr int64_t kScaleBytes = 4;
constexpr double kLargest = 127;

/// Random bits of an element, i32: see the documentation of `encode`.
Value createRandomBits(Integers &n, EncodeOp op, ArrayRef<Value> indices) {
  auto scalar = [&](Value tensor) { return tensor::ExtractOp::create(n.b, tensor, ValueRange()); };
  auto type = tensorTypeOf(op.getInput());
  Value index = scalar(getScalarArgument(op->getParentOfType<func::FuncOp>(), "rank"));
  for (auto [extent, position] : llvm::zip_equal(type.getShape(), indices)) {
    Value inner = arith::IndexCastOp::create(n.b, n.b.getI64Type(), position);
    index = arith::AddIOp::create(n.b, arith::MulIOp::create(n.b, index, n.wide(extent)), inner);
  }
  Value key = scalar(op.getCounter()[0]), step = scalar(op.getCounter()[1]);
  return createPhilox(n, key, index, step, static_cast<uint32_t>(*op.getSite()));
}

//===----------------------------------------------------------------------===//
// bf16
//===----------------------------------------------------------------------===//

/// To one of the two neighbours in bf16, at random.
Value roundToBFloat16(Integers &n, Value x, Value random) {
  Type bf16 = n.b.getBF16Type();
  Value noise = arith::ShRUIOp::create(n.b, random, n.word(16));
  Value bits = arith::AddIOp::create(n.b, arith::BitcastOp::create(n.b, n.b.getI32Type(), x), noise);
  Value upper = arith::TruncIOp::create(n.b, n.b.getI16Type(), arith::ShRUIOp::create(n.b, bits, n.word(16)));
  Value rounded = arith::BitcastOp::create(n.b, bf16, upper);
  // The sum may run over from a NaN to another number.
  Value isNan = arith::CmpFOp::create(n.b, arith::CmpFPredicate::UNO, x, x);
  return arith::SelectOp::create(n.b, isNan, arith::TruncFOp::create(n.b, bf16, x), rounded);
}

Value encodeBFloat16(PatternRewriter &rewriter, EncodeOp op) {
  RankedTensorType type = tensorTypeOf(op.getEncoded());
  if (!op.isStochastic())
    return createElementwise(rewriter, op.getLoc(), type, op.getInput(),
                             [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                               return {arith::TruncFOp::create(b, type.getElementType(), v[0])};
                             });
  return createComputed(rewriter, op.getLoc(), type,
                        [&](ImplicitLocOpBuilder &b, SmallVector<Value> indices) {
                          Integers n(b);
                          Value x = tensor::ExtractOp::create(b, op.getInput(), indices);
                          return roundToBFloat16(n, x, createRandomBits(n, op, indices));
                        });
}

Value decodeBFloat16(PatternRewriter &rewriter, DecodeOp op) {
  return createElementwise(rewriter, op.getLoc(), tensorTypeOf(op.getOutput()), op.getEncoded(),
                           [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                             return {arith::ExtFOp::create(b, b.getF32Type(), v[0])};
                           });
}

//===----------------------------------------------------------------------===//
// int8
//===----------------------------------------------------------------------===//

/// max |x| of each row, as [blocks, rows].
Value createLargest(PatternRewriter &rewriter, EncodeOp op) {
  auto input = tensorTypeOf(op.getInput());
  auto type = RankedTensorType::get(input.getShape().drop_back(), input.getElementType());
  AffineMap all = rewriter.getMultiDimIdentityMap(3);
  Value zero = createFilled(rewriter, op.getLoc(), type, 0);
  return createGeneric(rewriter, op.getLoc(), op.getInput(), zero, {all, all.getMajorSubMap(2)},
                       {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction},
                       [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                         Scalars s(b, v[0].getType());
                         return {s.max(v[1], math::AbsFOp::create(b, v[0]))};
                       })
      .front();
}

/// round(x / scale), as i32; some number where the scale is NaN.
Value quantize(ImplicitLocOpBuilder &b, Value x, Value scale, Value random) {
  Scalars s(b, x.getType());
  Integers n(b);
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, scale, s.constant(0));
  Value scaled = s.div(x, arith::SelectOp::create(b, isZero, s.constant(1), scale));
  if (random) {
    Value share = arith::UIToFPOp::create(b, s.type, arith::ShRUIOp::create(b, random, n.word(8)));
    scaled = math::FloorOp::create(b, s.add(scaled, s.mul(share, s.constant(0x1p-24))));
  } else {
    scaled = math::RoundEvenOp::create(b, scaled);
  }
  Value below = arith::MinNumFOp::create(b, scaled, s.constant(kLargest));
  Value within = arith::MaxNumFOp::create(b, below, s.constant(-kLargest));
  Value number = arith::FPToSIOp::create(b, b.getI32Type(), within);
  return arith::SelectOp::create(b, isZero, n.word(0), number);
}

/// Byte `place`, an index, of the bits of an f32, as i32 with more above it.
Value byteOf(ImplicitLocOpBuilder &b, Value x, Value place) {
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
  Value number = arith::IndexCastOp::create(b, b.getI32Type(), place);
  return arith::ShRUIOp::create(b, bits, arith::ShLIOp::create(b, number, Integers(b).word(3)));
}

Value encodeInt8(PatternRewriter &rewriter, EncodeOp op) {
  Value largest = createLargest(rewriter, op);
  const int64_t columns = tensorTypeOf(op.getInput()).getDimSize(2);
  auto body = [&](ImplicitLocOpBuilder &b, SmallVector<Value> indices) -> Value {
    Integers n(b);
    Scalars s(b, b.getF32Type());
    Value row = tensor::ExtractOp::create(b, largest, ValueRange(indices).drop_back());
    // NaN of a row with infinities, too.
    Value zeroOrNan = s.sub(row, row), quotient = s.div(row, s.constant(kLargest));
    Value scale = s.add(quotient, zeroOrNan);
    Value end = arith::ConstantIndexOp::create(b, columns), zero = arith::ConstantIndexOp::create(b, 0);
    Value isValue = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, indices.back(), end);
    // Also computed for the bytes of the scale, of some element of the row: no branch.
    Value place = arith::SubIOp::create(b, indices.back(), end);
    SmallVector<Value> element(indices);
    element.back() = arith::SelectOp::create(b, isValue, indices.back(), zero);
    place = arith::SelectOp::create(b, isValue, zero, place);
    Value x = tensor::ExtractOp::create(b, op.getInput(), element);
    Value random = op.isStochastic() ? createRandomBits(n, op, element) : Value();
    Value number = quantize(b, x, scale, random), ofScale = byteOf(b, scale, place);
    Value byte = arith::SelectOp::create(b, isValue, number, ofScale);
    return arith::TruncIOp::create(b, b.getI8Type(), byte);
  };
  return createComputed(rewriter, op.getLoc(), tensorTypeOf(op.getEncoded()), body);
}

/// The scale of each row, as [blocks, rows].
Value createScales(PatternRewriter &rewriter, DecodeOp op) {
  auto output = tensorTypeOf(op.getOutput());
  const int64_t columns = output.getDimSize(2);
  auto type = RankedTensorType::get(output.getShape().drop_back(), output.getElementType());
  auto body = [&](ImplicitLocOpBuilder &b, SmallVector<Value> indices) -> Value {
    Integers n(b);
    Value bits = n.word(0);
    for (int64_t i = 0; i < kScaleBytes; ++i) {
      SmallVector<Value> place(indices);
      place.push_back(arith::ConstantIndexOp::create(b, columns + i));
      Value byte =
          arith::ExtUIOp::create(b, b.getI32Type(), tensor::ExtractOp::create(b, op.getEncoded(), place));
      bits = arith::OrIOp::create(b, bits, arith::ShLIOp::create(b, byte, n.word(8 * i)));
    }
    return arith::BitcastOp::create(b, b.getF32Type(), bits);
  };
  return createComputed(rewriter, op.getLoc(), type, body);
}

Value decodeInt8(PatternRewriter &rewriter, DecodeOp op) {
  Value scales = createScales(rewriter, op);
  RankedTensorType type = tensorTypeOf(op.getOutput());
  AffineMap all = rewriter.getMultiDimIdentityMap(3);
  Value init = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
    Value byte = tensor::ExtractOp::create(b, op.getEncoded(), loopIndices(b, 3));
    return {arith::MulFOp::create(b, arith::SIToFPOp::create(b, v[0].getType(), byte), v[0])};
  };
  return createGeneric(rewriter, op.getLoc(), scales, init, {all.getMajorSubMap(2), all},
                       SmallVector<IteratorType>(3, IteratorType::parallel), body)
      .front();
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

struct EncodeToLinalg : OpRewritePattern<EncodeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EncodeOp op, PatternRewriter &rewriter) const override {
    bool narrow = op.getEncoding() == WireEncoding::BF16;
    rewriter.replaceOp(op, narrow ? encodeBFloat16(rewriter, op) : encodeInt8(rewriter, op));
    return success();
  }
};

struct DecodeToLinalg : OpRewritePattern<DecodeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DecodeOp op, PatternRewriter &rewriter) const override {
    bool narrow = op.getEncoding() == WireEncoding::BF16;
    rewriter.replaceOp(op, narrow ? decodeBFloat16(rewriter, op) : decodeInt8(rewriter, op));
    return success();
  }
};

} // namespace

void mlir::phantom::populateEncodingToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<EncodeToLinalg, DecodeToLinalg>(patterns.getContext());
}
