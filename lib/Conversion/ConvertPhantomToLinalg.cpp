//===- ConvertPhantomToLinalg.cpp - Model ops to fused linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ByteSize.h"
#include "ToLinalg.h"

#include "phantom/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_CONVERTPHANTOMTOLINALG
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Whether the body does no work: it only moves elements.
bool onlyMoves(linalg::GenericOp op) { return llvm::hasSingleElement(*op.getBody()); }

/// Fuses where no element is computed twice: the producer has one user, which visits each of its elements
/// once (as many loops). What only moves elements is free to repeat.
bool isFusionWorthwhile(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
    return false;
  if (onlyMoves(producer))
    return true;
  return producer->hasOneUse() && producer.getNumLoops() == consumer.getNumLoops();
}

/// The linalg ops of a function, and the bytes of their inputs and outputs.
struct Traffic {
  int64_t ops = 0, bytes = 0;
};

Traffic trafficOf(func::FuncOp function) {
  Traffic traffic;
  for (auto op : function.getOps<linalg::LinalgOp>()) {
    ++traffic.ops;
    for (Value value : op->getOperands().take_front(op.getNumDpsInputs()))
      if (auto tensor = dyn_cast<RankedTensorType>(value.getType()))
        traffic.bytes += byteSize(tensor);
    for (Type type : op->getResultTypes())
      traffic.bytes += byteSize(cast<RankedTensorType>(type));
  }
  return traffic;
}

/// Says what fusion made of the ops of `before`.
void report(func::FuncOp function, Traffic before, Traffic after) {
  if (before.ops == 0)
    return;
  InFlightDiagnostic remark = mlir::emitRemark(function.getLoc()) << "@" << function.getName() << ": ";
  if (after.ops == before.ops)
    remark << "no two of " << before.ops << " linalg ops are fused";
  else
    remark << "fused " << before.ops << " linalg ops into " << after.ops << ": " << before.bytes - after.bytes
           << " bytes fewer read and written";
}

/// Lowerings take extents from types.
LogicalResult verifyStatic(func::FuncOp function) {
  auto isDynamic = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && !shaped.hasStaticShape();
  };
  WalkResult found = function.walk([&](Operation *op) {
    if (!isa_and_nonnull<PhantomDialect>(op->getDialect()) ||
        !(llvm::any_of(op->getOperandTypes(), isDynamic) || llvm::any_of(op->getResultTypes(), isDynamic)))
      return WalkResult::advance();
    op->emitOpError("has a dynamic shape: run phantom-specialize-batch before");
    return WalkResult::interrupt();
  });
  return failure(found.wasInterrupted());
}

struct ConvertPhantomToLinalgPass : phantom::impl::ConvertPhantomToLinalgBase<ConvertPhantomToLinalgPass> {
  using ConvertPhantomToLinalgBase::ConvertPhantomToLinalgBase;

  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (failed(verifyStatic(function)))
        return signalPassFailure();
      WalkResult needsRank = function.walk([](Operation *op) {
        auto dropout = dyn_cast<DropoutOp>(op);
        auto encode = dyn_cast<EncodeOp>(op);
        bool takesRank = (dropout && dropout.isActive() && dropout.getBlockDim()) ||
                         (encode && encode.isStochastic()) || isa<LocalSliceOp, MaskOwnBlockOp>(op);
        return takesRank ? WalkResult::interrupt() : WalkResult::advance();
      });
      if (needsRank.wasInterrupted())
        getOrAddScalarArgument(function, "rank");
      convertGradientSums(function);
      if (fuse)
        convertUpdatesWithNorms(function);
    }
    convert();
    if (failed(verifyConverted()))
      return signalPassFailure();
    IRRewriter rewriter(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      DominanceInfo dominance(function);
      eliminateCommonSubExpressions(rewriter, dominance, function);
      if (!fuse)
        continue;
      Traffic before = trafficOf(function);
      if (failed(fuseElementwise(function)))
        return signalPassFailure();
      report(function, before, trafficOf(function));
    }
  }

private:
  void convert() {
    RewritePatternSet patterns(&getContext());
    populateModelToLinalgPatterns(patterns);
    populateNormalizeToLinalgPatterns(patterns);
    populateStatisticsToLinalgPatterns(patterns);
    populateSoftmaxToLinalgPatterns(patterns);
    populateDataToLinalgPatterns(patterns);
    populateLossToLinalgPatterns(patterns);
    populateUpdateToLinalgPatterns(patterns);
    populateDropoutToLinalgPatterns(patterns);
    populateEncodingToLinalgPatterns(patterns);
    populateGemmToLinalgPatterns(patterns, /*all=*/referenceGemm);
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }

  LogicalResult verifyConverted() {
    WalkResult result = getOperation().walk([](Operation *op) {
      bool known = !isa<PhantomDialect>(op->getDialect()) ||
                   isa<GemmOp, GatherGradientOp, AllGatherOp, ReduceScatterOp, AllReduceOp, AllToAllOp,
                       ParameterOp, MeshOp>(op);
      if (known)
        return WalkResult::advance();
      op->emitOpError(
          "has no lowering to linalg: run convert-phantom-to-gemm before, if it is a matrix product");
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }

  LogicalResult fuseElementwise(func::FuncOp function) {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, isFusionWorthwhile);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, &getContext());
    return applyPatternsGreedily(function, std::move(patterns));
  }
};

} // namespace
