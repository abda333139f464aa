//===- DropoutToLinalg.cpp - Dropout as linalg.generic --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <array>
#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

namespace {

using Words = std::array<Value, 4>;

/// Unsigned arithmetic in the body of a generic.
class Integers {
public:
  explicit Integers(ImplicitLocOpBuilder &builder) : b(builder) {}

  Value word(uint32_t value) {
    return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value wide(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
  Value low(Value value) { return arith::TruncIOp::create(b, b.getI32Type(), value); }
  Value high(Value value) { return low(arith::ShRUIOp::create(b, value, wide(32))); }
  Value exclusiveOr(Value x, Value y, Value z) {
    return arith::XOrIOp::create(b, arith::XOrIOp::create(b, x, y), z);
  }
  Value product(uint32_t factor, Value value) {
    return arith::MulIOp::create(b, wide(factor), arith::ExtUIOp::create(b, b.getI64Type(), value));
  }

  ImplicitLocOpBuilder &b;
};

/// The first word of Philox4x32-10 (Salmon et al., 2011), the generator of the runtime's random starts.
Value createPhilox(Integers &n, Words counter, Value key0, Value key1) {
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key0 = arith::AddIOp::create(n.b, key0, n.word(0x9E3779B9));
      key1 = arith::AddIOp::create(n.b, key1, n.word(0xBB67AE85));
    }
    Value product0 = n.product(0xD2511F53, counter[0]), product1 = n.product(0xCD9E8D57, counter[2]);
    counter = {n.exclusiveOr(n.high(product1), counter[1], key0), n.low(product1),
               n.exclusiveOr(n.high(product0), counter[3], key1), n.low(product0)};
  }
  return counter[0];
}

/// The index of the body's element in the whole value, i64.
Value createWholeIndex(Integers &n, DropoutOp op, Value rank) {
  ArrayRef<int64_t> whole = *op.getWhole(), shape = tensorTypeOf(op.getInput()).getShape();
  std::optional<int64_t> blockDim = op.getBlockDim();
  Value flat = n.wide(0);
  for (auto [d, extent] : llvm::enumerate(whole)) {
    Value index = arith::IndexCastOp::create(n.b, n.b.getI64Type(), linalg::IndexOp::create(n.b, d));
    if (blockDim == static_cast<int64_t>(d))
      index = arith::AddIOp::create(n.b, index, arith::MulIOp::create(n.b, rank, n.wide(shape[d])));
    flat = arith::AddIOp::create(n.b, arith::MulIOp::create(n.b, flat, n.wide(extent)), index);
  }
  return flat;
}

struct DropoutToLinalg : OpRewritePattern<DropoutOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DropoutOp op, PatternRewriter &rewriter) const override {
    if (!op.isActive()) {
      rewriter.replaceOp(op, op.getInput());
      return success();
    }
    RankedTensorType type = tensorTypeOf(op.getInput());
    SmallVector<Value> inputs{op.getInput(), op.getCounter()[0], op.getCounter()[1]};
    if (op.getBlockDim())
      inputs.push_back(getRankArgument(op->getParentOfType<func::FuncOp>()));
    AffineMap all = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<AffineMap> maps(inputs.size() + 1, AffineMap::get(type.getRank(), 0, rewriter.getContext()));
    maps.front() = maps.back() = all;
    const double ratio = op.getRatio().convertToDouble();
    const auto threshold = static_cast<uint32_t>(std::ldexp(ratio, 32));
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Integers n(b);
      Value index = createWholeIndex(n, op, op.getBlockDim() ? v[3] : Value());
      Words counter{n.low(index), n.high(index), n.low(v[2]), n.word(static_cast<uint32_t>(*op.getSite()))};
      Value random = createPhilox(n, counter, n.low(v[1]), n.high(v[1]));
      Value kept = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, random, n.word(threshold));
      Scalars s(b, type.getElementType());
      return {arith::SelectOp::create(b, kept, s.mul(v[0], s.constant(1 / (1 - ratio))), s.constant(0))};
    };
    Value init = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
    SmallVector<utils::IteratorType> iterators(type.getRank(), utils::IteratorType::parallel);
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), inputs, init, maps, iterators, body));
    return success();
  }
};

} // namespace

void mlir::phantom::populateDropoutToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<DropoutToLinalg>(patterns.getContext());
}
