//===- FuseEpilogues.cpp - Biases and activations into GEMMs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ByteSize.h"
#include "SoleGemm.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMFUSEEPILOGUES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// What was fused, for the remark.
struct Counts {
  int64_t biases = 0, activations = 0;
  int64_t bytes = 0; ///< read and written by a pass over each GEMM's result, which is not made
};

/// Puts a changed copy of `gemm` (and of the reshape behind it) at the place of `op`, and in place of its
/// result. It goes there, and not to the old place, since a bias may be defined between them.
template <typename Change>
void replaceWithGemm(PatternRewriter &rewriter, Operation *op, Value old, GemmOp gemm, Change change) {
  auto fused = cast<GemmOp>(rewriter.clone(*gemm));
  rewriter.modifyOpInPlace(fused, [&] {
    fused->setLoc(rewriter.getFusedLoc({gemm.getLoc(), op->getLoc()}));
    change(fused);
  });
  rewriter.replaceOp(op, reshapedLike(rewriter, gemm, old, fused.getResult()));
}

/// addf(gemm, broadcast(vector along the last dimension)), in either order.
struct FuseBias : OpRewritePattern<arith::AddFOp> {
  FuseBias(MLIRContext *context, Counts &counts) : OpRewritePattern(context), counts(counts) {}

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    for (auto [value, added] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())}) {
      GemmOp gemm = soleGemm(value);
      auto broadcast = added.getDefiningOp<BroadcastOp>();
      if (!gemm || !broadcast || gemm.getBias() || gemm.getEpilogue())
        continue;
      auto vector = cast<RankedTensorType>(broadcast.getInput().getType());
      if (vector.getRank() != 1 || vector.getDimSize(0) != gemm.getN())
        continue;
      ++counts.biases;
      counts.bytes += 2 * byteSize(cast<ShapedType>(op.getType()));
      replaceWithGemm(rewriter, op, value, gemm,
                      [&](GemmOp fused) { fused.getBiasMutable().assign(broadcast.getInput()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "adds no vector to a GEMM of its own");
  }

  Counts &counts;
};

/// Whether the GEMMs of `library` can apply the activation.
bool hasEpilogue(GemmLibrary library, ActivationKind kind) {
  switch (library) {
  case GemmLibrary::Cpu:
    return kind != ActivationKind::Softplus;
  case GemmLibrary::CublasLt:
    return kind == ActivationKind::Relu || kind == ActivationKind::GeluTanh;
  }
  llvm_unreachable("unknown library");
}

struct FuseActivation : OpRewritePattern<ActivationOp> {
  FuseActivation(MLIRContext *context, GemmLibrary library, Counts &counts)
      : OpRewritePattern(context), library(library), counts(counts) {}

  LogicalResult matchAndRewrite(ActivationOp op, PatternRewriter &rewriter) const override {
    GemmOp gemm = soleGemm(op.getInput());
    if (!gemm || gemm.getEpilogue())
      return rewriter.notifyMatchFailure(op, "not of a GEMM of its own");
    if (!hasEpilogue(library, op.getKind()))
      return rewriter.notifyMatchFailure(op, "GEMMs have no such epilogue");
    bool takesAlpha = op.getKind() == ActivationKind::LeakyRelu || op.getKind() == ActivationKind::Elu;
    FloatAttr alpha = takesAlpha ? op.getAlphaAttr() : FloatAttr();
    ++counts.activations;
    if (!gemm.getBias()) // the pass that adds a bias would also apply the activation
      counts.bytes += 2 * byteSize(cast<ShapedType>(op.getType()));
    replaceWithGemm(rewriter, op, op.getInput(), gemm, [&](GemmOp fused) {
      fused.setEpilogueAttr(EpilogueAttr::get(op.getContext(), op.getKind(), alpha));
    });
    return success();
  }

  GemmLibrary library;
  Counts &counts;
};

struct FuseEpiloguesPass : phantom::impl::PhantomFuseEpiloguesBase<FuseEpiloguesPass> {
  using PhantomFuseEpiloguesBase::PhantomFuseEpiloguesBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      Counts counts;
      RewritePatternSet patterns(&getContext());
      if (bias)
        patterns.add<FuseBias>(&getContext(), counts);
      if (activation)
        patterns.add<FuseActivation>(&getContext(), library, counts);
      tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, &getContext());
      tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
      if (failed(applyPatternsGreedily(function, std::move(patterns))))
        return signalPassFailure();
      InFlightDiagnostic remark = mlir::emitRemark(function.getLoc())
                                  << "@" << function.getName() << ": fused " << counts.biases
                                  << " biases and " << counts.activations << " activations into GEMMs";
      if (counts.bytes)
        remark << ": up to " << counts.bytes << " bytes fewer read and written";
      else
        remark << ", without effect";
    }
  }
};

} // namespace
