//===- Recognize.cpp - Finds layers, activations and norms ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Recognize.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMRECOGNIZE
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// The operands of an addition as a linear layer without bias and what is added to it.
struct Addition {
  LinearOp linear;
  Value addend;
};

std::optional<Addition> matchAddition(arith::AddFOp op) {
  for (bool swapped : {false, true})
    if (auto linear = op->getOperand(swapped).getDefiningOp<LinearOp>(); linear && !linear.getBias())
      return Addition{linear, op->getOperand(!swapped)};
  return std::nullopt;
}

/// What is broadcast to the addend's shape; the addend itself where nothing is.
Value stripBroadcast(Value value) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  return broadcast ? broadcast.getInput() : value;
}

/// Whether the layer's product is used by the addition only; the addend may take its shape from it.
bool isUsedOnlyBy(LinearOp linear, arith::AddFOp op, Value addend) {
  return llvm::all_of(linear->getUsers(), [&](Operation *user) {
    return user == op || (user == addend.getDefiningOp() && addend.hasOneUse());
  });
}

/// Whether the value is one number for each column of the layer.
bool isBiasOf(Value value, LinearOp linear) {
  auto type = cast<RankedTensorType>(value.getType());
  auto output = cast<RankedTensorType>(linear.getOutput().getType());
  return type.getRank() == 1 && type.getDimSize(0) == output.getShape().back();
}

/// linear x, w + broadcast b, in either order  -->  linear x, w bias b
/// One GEMM with the bias in its epilogue, and one layer for `phantom-partition`.
struct RecognizeBias : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    std::optional<Addition> addition = matchAddition(op);
    if (!addition)
      return rewriter.notifyMatchFailure(op, "adds nothing to a linear layer without bias");
    Value bias = stripBroadcast(addition->addend);
    if (!isBiasOf(bias, addition->linear))
      return rewriter.notifyMatchFailure(op, "the addend is no bias");
    if (!isUsedOnlyBy(addition->linear, op, addition->addend))
      return rewriter.notifyMatchFailure(op, "the product has other uses");
    LinearOp linear = addition->linear;
    auto biased =
        LinearOp::create(rewriter, rewriter.getFusedLoc({linear.getLoc(), op.getLoc()}), op.getType(),
                         linear.getInput(), linear.getWeight(), bias, linear.getIoAttr());
    rewriter.replaceOp(op, biased);
    return success();
  }
};

/// linear x, (transpose w)  -->  linear x, w with the other layout
struct FoldTransposeOfWeight : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto transpose = op.getWeight().getDefiningOp<TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "weight is not transposed");
    if (transpose.getPermutation() != ArrayRef<int64_t>{1, 0})
      return rewriter.notifyMatchFailure(op, "weight is transposed by the identity");
    rewriter.modifyOpInPlace(op, [&] {
      op.getWeightMutable().assign(transpose.getInput());
      op.setIo(!op.getIo());
    });
    return success();
  }
};

/// linear (reshape x), w  -->  reshape (linear x, w), where the reshape only merges leading dimensions
/// GPT-2 flattens its activations around every layer; the reshapes that are left cancel.
struct LinearBeforeReshape : OpRewritePattern<LinearOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    auto reshape = op.getInput().getDefiningOp<ReshapeOp>();
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "operand is no reshape");
    auto from = cast<RankedTensorType>(reshape.getInput().getType()),
         to = cast<RankedTensorType>(reshape.getOutput().getType());
    bool merges = to.getRank() == 2 && from.getRank() > 2 && from.getShape().back() == to.getShape().back() &&
                  !from.isDynamicDim(from.getRank() - 1);
    if (!merges)
      return rewriter.notifyMatchFailure(op, "operand is reshaped to something else than rows");
    SmallVector<int64_t> shape(from.getShape());
    auto type = cast<RankedTensorType>(op.getOutput().getType());
    shape.back() = type.getShape().back();
    Value linear = LinearOp::create(rewriter, op.getLoc(), type.clone(shape), reshape.getInput(),
                                    op.getWeight(), op.getBias(), op.getIoAttr());
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, type, linear);
    return success();
  }
};

/// Constants come first, and a broadcast directly before its first use, both in the order of their uses:
/// models that compute the same in the same order have the same IR.
void orderOperands(Block &block) {
  SmallPtrSet<Operation *, 16> movable;
  for (Operation &op : block)
    if (isa<BroadcastOp, arith::ConstantOp>(op) &&
        llvm::all_of(op.getUsers(), [&](Operation *user) { return user->getBlock() == &block; }))
      movable.insert(&op);
  // From the end on, the last move of each is to its first use.
  for (Operation *op = &block.back(); op; op = op->getPrevNode())
    for (Value operand : op->getOperands())
      if (Operation *producer = operand.getDefiningOp(); movable.contains(producer))
        producer->moveBefore(op);
  auto constants = llvm::to_vector(block.getOps<arith::ConstantOp>());
  for (arith::ConstantOp constant : llvm::reverse(constants))
    constant->moveBefore(&block, block.begin());
}

class RecognizePass : public phantom::impl::PhantomRecognizeBase<RecognizePass> {
public:
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    set.add<RecognizeBias, FoldTransposeOfWeight, LinearBeforeReshape>(context);
    ReshapeOp::getCanonicalizationPatterns(set, context);
    populateRecognizeNormalizationPatterns(set);
    populateRecognizeActivationPatterns(set);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    // What is computed twice is one value to the patterns.
    IRRewriter rewriter(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      DominanceInfo dominance(function);
      eliminateCommonSubExpressions(rewriter, dominance, function);
    }
    if (failed(applyPatternsGreedily(getOperation(), patterns)))
      return signalPassFailure();
    for (auto function : getOperation().getOps<func::FuncOp>())
      for (Block &block : function.getBody())
        orderOperands(block);
    getOperation().walk(remarkOnBias);
    remarkOnActivations(getOperation());
    remarkOnNormalizations(getOperation());
  }

private:
  /// A vector added to a layer is meant as its bias; where it is not one, say why.
  static void remarkOnBias(arith::AddFOp op) {
    std::optional<Addition> addition = matchAddition(op);
    if (!addition || !addition->addend.getDefiningOp<BroadcastOp>())
      return;
    Value bias = stripBroadcast(addition->addend);
    if (cast<RankedTensorType>(bias.getType()).getRank() == 0)
      return;
    auto remark = op.emitRemark() << "looks like the bias of a linear layer, but ";
    if (!isBiasOf(bias, addition->linear))
      remark << "is of type " << bias.getType() << " and not a vector of the layer's columns";
    else
      remark << "the product is used elsewhere, too";
    remark.attachNote(addition->linear.getLoc()) << "the layer";
  }

  FrozenRewritePatternSet patterns;
};

} // namespace
