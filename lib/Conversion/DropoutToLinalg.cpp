//===- DropoutToLinalg.cpp - Dropout as linalg.generic --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Philox.h"
#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

namespace {

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
      inputs.push_back(getScalarArgument(op->getParentOfType<func::FuncOp>(), "rank"));
    AffineMap all = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<AffineMap> maps(inputs.size() + 1, AffineMap::get(type.getRank(), 0, rewriter.getContext()));
    maps.front() = maps.back() = all;
    const double ratio = op.getRatio().convertToDouble();
    const auto threshold = static_cast<uint32_t>(std::ldexp(ratio, 32));
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Integers n(b);
      Value index = createWholeIndex(n, op, op.getBlockDim() ? v[3] : Value());
      Value random = createPhilox(n, v[1], index, v[2], static_cast<uint32_t>(*op.getSite()));
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
