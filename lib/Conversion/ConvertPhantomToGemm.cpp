//===- ConvertPhantomToGemm.cpp - Matrix products to phantom.gemm -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_CONVERTPHANTOMTOGEMM
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Fraction of the flops that the formula counts, per op that multiplies an own zero block.
using Fractions = llvm::DenseMap<Operation *, double>;

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// All but the last dimension in one group, the last in another.
SmallVector<ReassociationIndices> batchGroups(int64_t rank) {
  SmallVector<ReassociationIndices> groups(2);
  for (int64_t d = 0; d < rank - 1; ++d)
    groups[0].push_back(d);
  groups[1].push_back(rank - 1);
  return groups;
}

/// `[…, n]` as a matrix; a vector as one row.
Value toMatrix(OpBuilder &b, Location loc, Value value) {
  RankedTensorType type = tensorType(value);
  if (type.getRank() == 2)
    return value;
  if (type.getRank() == 1) {
    auto row = RankedTensorType::get({1, type.getDimSize(0)}, type.getElementType());
    return tensor::ExpandShapeOp::create(b, loc, row, value, SmallVector<ReassociationIndices>{{0, 1}});
  }
  return tensor::CollapseShapeOp::create(b, loc, value, batchGroups(type.getRank()));
}

/// The matrix back in the shape of an activation.
Value fromMatrix(OpBuilder &b, Location loc, Value matrix, RankedTensorType type) {
  if (type.getRank() == 2)
    return matrix;
  if (type.getRank() == 1)
    return tensor::CollapseShapeOp::create(b, loc, matrix, SmallVector<ReassociationIndices>{{0, 1}});
  return tensor::ExpandShapeOp::create(b, loc, type, matrix, batchGroups(type.getRank()));
}

/// Operand order, transposes and accumulator of a product.
struct Product {
  Value a, b;
  bool transposeA = false, transposeB = false;
  Value acc = {};
};

int64_t extent(Value matrix, bool second) { return tensorType(matrix).getDimSize(second ? 1 : 0); }

/// The GEMM of matrices `p.a` and `p.b`, in place of `op`.
Value createGemm(PatternRewriter &b, Operation *op, const Product &p, const Fractions &fractions) {
  Location loc = op->getLoc();
  SmallVector<int64_t> shape{extent(p.a, p.transposeA), extent(p.b, !p.transposeB)};
  Value init = p.acc;
  if (!init)
    init = tensor::EmptyOp::create(b, loc, shape, tensorType(p.a).getElementType());
  auto unit = [&](bool value) { return value ? b.getUnitAttr() : UnitAttr(); };
  auto fraction = fractions.find(op);
  FloatAttr formula = fraction == fractions.end() ? FloatAttr() : b.getF64FloatAttr(fraction->second);
  return GemmOp::create(b, loc, init.getType(), p.a, p.b, /*bias=*/Value(), /*saved=*/Value(), init,
                        /*aux=*/Value(), /*bias_gradient=*/Value(), unit(p.transposeA), unit(p.transposeB),
                        unit(static_cast<bool>(p.acc)), EpilogueAttr(), formula)
      .getResult();
}

Product describe(PatternRewriter &b, WeightGradientOp op) {
  Value delta = toMatrix(b, op.getLoc(), op.getDelta()), x = toMatrix(b, op.getLoc(), op.getInput());
  return op.getIo() ? Product{x, delta, true, false} : Product{delta, x, true, false};
}

Product describe(PatternRewriter &b, CompressOp op) {
  return {op.getWeight(), toMatrix(b, op.getLoc(), op.getInput()), false, true};
}

Product describe(PatternRewriter &b, DecompressOp op) {
  Product product{op.getGhosts(), op.getWeight(), true, false};
  if (op.getAcc())
    product.acc = toMatrix(b, op.getLoc(), op.getAcc());
  return product;
}

Product describe(PatternRewriter &b, GhostWeightGradientOp op) {
  return {op.getGhosts(), toMatrix(b, op.getLoc(), op.getActivation())};
}

/// One pattern for all: `describe` says what is multiplied.
template <typename Op> struct ToGemm : OpRewritePattern<Op> {
  ToGemm(MLIRContext *context, const Fractions &fractions)
      : OpRewritePattern<Op>(context), fractions(fractions) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Value gemm = createGemm(rewriter, op, describe(rewriter, op), fractions);
    rewriter.replaceOp(op, fromMatrix(rewriter, op.getLoc(), gemm, tensorType(op->getResult(0))));
    return success();
  }

  const Fractions &fractions;
};

struct LinearToGemm : OpRewritePattern<LinearOp> {
  LinearToGemm(MLIRContext *context, const Fractions &fractions)
      : OpRewritePattern<LinearOp>(context), fractions(fractions) {}

  LogicalResult matchAndRewrite(LinearOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    RankedTensorType type = tensorType(op.getOutput());
    Value x = toMatrix(rewriter, loc, op.getInput());
    Value gemm = createGemm(rewriter, op, {x, op.getWeight(), false, !op.getIo()}, fractions);
    Value result = fromMatrix(rewriter, loc, gemm, type);
    if (op.getBias()) {
      Value bias = BroadcastOp::create(rewriter, loc, type, op.getBias(), Value());
      result = arith::AddFOp::create(rewriter, loc, result, bias);
    }
    rewriter.replaceOp(op, result);
    return success();
  }

  const Fractions &fractions;
};

struct ConvertPhantomToGemmPass : phantom::impl::ConvertPhantomToGemmBase<ConvertPhantomToGemmPass> {
  void runOnOperation() override {
    findFractions();
    RewritePatternSet patterns(&getContext());
    patterns.add<LinearToGemm, ToGemm<WeightGradientOp>, ToGemm<CompressOp>, ToGemm<DecompressOp>,
                 ToGemm<GhostWeightGradientOp>>(&getContext(), fractions);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }

private:
  /// A decompressor's own zero block is multiplied by three GEMMs: its decompress, the compress that gives
  /// the ghosts' cotangent, and its weight gradient, which is masked.
  void findFractions() {
    fractions.clear();
    getOperation().walk([&](DecompressOp op) {
      if (!op.getZeroOwn())
        return;
      double ranks = static_cast<double>(getAxisSize(op, op.getMeshAttr(), *op.getAxis()));
      double fraction = (ranks - 1) / ranks;
      fractions[op] = fraction;
      for (Operation *user : op.getWeight().getUsers())
        if (isa<CompressOp>(user))
          fractions[user] = fraction;
    });
    getOperation().walk([&](MaskOwnBlockOp op) {
      double ranks = static_cast<double>(getAxisSize(op, op.getMeshAttr(), op.getAxis()));
      if (auto gradient = op.getInput().getDefiningOp<GhostWeightGradientOp>())
        fractions[gradient] = (ranks - 1) / ranks;
    });
  }

  Fractions fractions;
};

} // namespace
