//===- Canonicalization.cpp - Folders and canonicalization patterns -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::phantom;

OpFoldResult DropoutOp::fold(FoldAdaptor) { return getRatio().isZero() ? getInput() : Value(); }

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return getInput().getType() == getOutput().getType() ? getInput() : Value();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  return getInput().getType() == getOutput().getType() ? getInput() : Value();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [i, source] : llvm::enumerate(getPermutation()))
    if (static_cast<int64_t>(i) != source)
      return {};
  return getInput();
}

namespace {

/// broadcast x like y : … -> static  -->  broadcast x
struct DropLikeOfStaticBroadcast : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BroadcastOp op, PatternRewriter &rewriter) const override {
    if (!op.getLike() || !cast<RankedTensorType>(op.getOutput().getType()).hasStaticShape())
      return rewriter.notifyMatchFailure(op, "needs its 'like'");
    rewriter.modifyOpInPlace(op, [&] { op.getLikeMutable().clear(); });
    return success();
  }
};

/// reshape (reshape x)  -->  reshape x, where the shape in between adds nothing
struct MergeReshapes : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto producer = op.getInput().getDefiningOp<ReshapeOp>();
    if (!producer)
      return rewriter.notifyMatchFailure(op, "operand is no reshape");
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getOutput().getType(), producer.getInput());
    return success();
  }
};

/// a + decompress G, D  -->  decompress G, D acc a
/// One GEMM that accumulates, instead of a GEMM and a pass over its result.
struct AccumulateInDecompress : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    for (bool swapped : {false, true}) {
      Value acc = swapped ? op.getRhs() : op.getLhs();
      auto decompress = (swapped ? op.getLhs() : op.getRhs()).getDefiningOp<DecompressOp>();
      if (!decompress || decompress.getAcc() || !decompress->hasOneUse())
        continue;
      rewriter.replaceOpWithNewOp<DecompressOp>(op, op.getType(), decompress.getGhosts(),
                                                decompress.getWeight(), acc, decompress.getZeroOwnAttr(),
                                                decompress.getMeshAttr(), decompress.getAxisAttr());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "adds no decompress of its own");
  }
};

bool isSplatOf(Value value, double number) {
  while (auto broadcast = value ? value.getDefiningOp<BroadcastOp>() : BroadcastOp())
    value = broadcast.getInput();
  DenseFPElementsAttr elements;
  return value && matchPattern(value, m_Constant(&elements)) && elements.isSplat() &&
         elements.getSplatValue<APFloat>().isExactlyValue(number);
}

/// normalize x scale 1 shift 0  -->  normalize x
struct DropNeutralScaleAndShift : OpRewritePattern<NormalizeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NormalizeOp op, PatternRewriter &rewriter) const override {
    bool scale = isSplatOf(op.getScale(), 1), shift = isSplatOf(op.getShift(), 0);
    if (!scale && !shift)
      return rewriter.notifyMatchFailure(op, "scale and shift are needed");
    rewriter.modifyOpInPlace(op, [&] {
      if (scale)
        op.getScaleMutable().clear();
      if (shift)
        op.getShiftMutable().clear();
    });
    return success();
  }
};

} // namespace

void NormalizeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropNeutralScaleAndShift>(context);
}

void BroadcastOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropLikeOfStaticBroadcast>(context);
}

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MergeReshapes>(context);
}

void DecompressOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<AccumulateInDecompress>(context);
}
