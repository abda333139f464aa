//===- MergeGemms.cpp - Sums of products in accumulating GEMMs --- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ByteSize.h"
#include "GradientSums.h"
#include "SoleGemm.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMMERGEGEMMS
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// What was merged, for the remark.
struct Counts {
  int64_t sums = 0, bytes = 0, gradients = 0;
};

/// Whether the GEMM's result is the product alone, which leaves its destination free for an accumulator.
bool isBareProduct(GemmOp gemm) { return !gemm.getAccumulate() && !gemm.getBias() && !gemm.getEpilogue(); }

/// addf(gemm, gemm): the later GEMM accumulates into the result of the earlier. Neither moves, so that each
/// still waits for the same exchanges.
struct AccumulateSum : OpRewritePattern<arith::AddFOp> {
  AccumulateSum(MLIRContext *context, Counts &counts) : OpRewritePattern(context), counts(counts) {}

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    Value value = op.getRhs();
    GemmOp earlier = soleGemm(op.getLhs()), later = soleGemm(value);
    if (!earlier || !later || earlier->getBlock() != later->getBlock())
      return rewriter.notifyMatchFailure(op, "adds no two GEMMs of its own");
    if (later->isBeforeInBlock(earlier)) {
      std::swap(earlier, later);
      value = op.getLhs();
    }
    if (!isBareProduct(later))
      return rewriter.notifyMatchFailure(op, "the later GEMM does more than multiply");
    if (earlier.getResult().getType() != later.getResult().getType())
      return rewriter.notifyMatchFailure(op, "the products have different shapes");
    rewriter.modifyOpInPlace(later, [&] {
      later.getCMutable().assign(earlier.getResult());
      later.setAccumulate(true);
      later->setLoc(rewriter.getFusedLoc({later.getLoc(), op.getLoc()}));
    });
    ++counts.sums;
    counts.bytes += 2 * byteSize(cast<ShapedType>(op.getType()));
    rewriter.replaceOp(op, value);
    return success();
  }

  Counts &counts;
};

/// addf(sum, gemm), where the sum is a parameter of the function that this is the new value of: the GEMM
/// accumulates there.
struct AccumulateInParameter : OpRewritePattern<arith::AddFOp> {
  AccumulateInParameter(MLIRContext *context, Counts &counts) : OpRewritePattern(context), counts(counts) {}

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    FailureOr<GradientSum> sum = matchGradientSum(op);
    GemmOp gemm = failed(sum) ? GemmOp() : soleGemm(sum->term);
    if (!gemm || !isBareProduct(gemm) || gemm.getResult().getType() != sum->sum.getType())
      return rewriter.notifyMatchFailure(op, "adds no product to a parameter");
    rewriter.modifyOpInPlace(gemm, [&] {
      gemm.getCMutable().assign(sum->sum);
      gemm.setAccumulate(true);
    });
    ++counts.gradients;
    rewriter.replaceOp(op, gemm.getResult());
    return success();
  }

  Counts &counts;
};

struct MergeGemmsPass : phantom::impl::PhantomMergeGemmsBase<MergeGemmsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      Counts counts;
      RewritePatternSet patterns(&getContext());
      patterns.add<AccumulateSum, AccumulateInParameter>(&getContext(), counts);
      if (failed(applyPatternsGreedily(function, std::move(patterns))))
        return signalPassFailure();
      if (function.getOps<GemmOp>().empty())
        continue;
      InFlightDiagnostic remark = mlir::emitRemark(function.getLoc()) << "@" << function.getName() << ": ";
      if (counts.sums)
        remark << counts.sums << " sums of two products are accumulated by the second: up to " << counts.bytes
               << " bytes fewer read and written";
      else
        remark << "no sum of two products to accumulate";
      if (counts.gradients)
        remark << "; " << counts.gradients << " products are added to sums of gradients in place";
    }
  }
};

} // namespace
