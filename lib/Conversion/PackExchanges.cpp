//===- PackExchanges.cpp - Exchanges of contiguous blocks -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMPACKEXCHANGES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The dimensions before `dim`, `dim` itself, and those behind it, as groups to collapse. The last group is
/// part of the second one where its extents are 1.
SmallVector<ReassociationIndices> blockGroups(ArrayRef<int64_t> shape, int64_t dim) {
  SmallVector<ReassociationIndices> groups(2);
  bool inner = llvm::any_of(shape.drop_front(dim + 1), [](int64_t extent) { return extent != 1; });
  for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d) {
    if (d == dim + 1 && inner)
      groups.emplace_back();
    groups[d < dim ? 0 : d == dim || !inner ? 1 : 2].push_back(d);
  }
  return groups;
}

/// `value` as [block, outer] or [block, outer, inner].
Value blocksFirst(OpBuilder &builder, Location loc, Value value, int64_t dim) {
  SmallVector<ReassociationIndices> groups = blockGroups(tensorType(value).getShape(), dim);
  if (static_cast<int64_t>(groups.size()) < tensorType(value).getRank())
    value = tensor::CollapseShapeOp::create(builder, loc, value, groups);
  SmallVector<int64_t> shape(tensorType(value).getShape()), permutation{1, 0};
  std::swap(shape[0], shape[1]);
  if (shape.size() == 3)
    permutation.push_back(2);
  auto type = RankedTensorType::get(shape, tensorType(value).getElementType());
  return TransposeOp::create(builder, loc, type, value, permutation);
}

/// The inverse of `blocksFirst`, of a tensor of type `type`.
Value blocksBack(OpBuilder &builder, Location loc, Value value, RankedTensorType type, int64_t dim) {
  SmallVector<int64_t> shape(tensorType(value).getShape()), permutation{1, 0};
  std::swap(shape[0], shape[1]);
  if (shape.size() == 3)
    permutation.push_back(2);
  auto back = RankedTensorType::get(shape, type.getElementType());
  value = TransposeOp::create(builder, loc, back, value, permutation);
  if (back == type)
    return value;
  return tensor::ExpandShapeOp::create(builder, loc, type, value, blockGroups(type.getShape(), dim));
}

/// Moves an exchange to dimension 0.
template <typename Op> struct PackExchange : OpRewritePattern<Op> {
  PackExchange(MLIRContext *context, int64_t &packed) : OpRewritePattern<Op>(context), packed(packed) {}

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    auto type = tensorType(op.getOutput());
    int64_t dim = op.getDim();
    if (llvm::all_of(type.getShape().take_front(dim), [](int64_t extent) { return extent == 1; }))
      return rewriter.notifyMatchFailure(op, "exchanges contiguous blocks");
    Value input = blocksFirst(rewriter, op.getLoc(), op.getInput(), dim);
    SmallVector<int64_t> shape(tensorType(input).getShape());
    shape[0] = type.getDimSize(dim) * (shape[0] / tensorType(op.getInput()).getDimSize(dim));
    auto exchanged = Op::create(rewriter, op.getLoc(), RankedTensorType::get(shape, type.getElementType()),
                                input, /*dim=*/0, op.getMesh(), op.getAxis());
    rewriter.replaceOp(op, blocksBack(rewriter, op.getLoc(), exchanged.getOutput(), type, dim));
    ++packed;
    return success();
  }

  int64_t &packed;
};

bool swapsMatrix(TransposeOp op) {
  return op && tensorType(op.getInput()).getRank() == 2 && op.getPermutation()[0] == 1;
}

/// A GEMM of transposed matrices.
struct FoldTransposedOperands : OpRewritePattern<GemmOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GemmOp op, PatternRewriter &rewriter) const override {
    auto a = op.getA().getDefiningOp<TransposeOp>(), b = op.getB().getDefiningOp<TransposeOp>();
    if (!swapsMatrix(a) && !swapsMatrix(b))
      return rewriter.notifyMatchFailure(op, "no operand is a transposed matrix");
    rewriter.modifyOpInPlace(op, [&] {
      if (swapsMatrix(a)) {
        op.getAMutable().assign(a.getInput());
        op.setTransposeA(!op.getTransposeA());
      }
      if (swapsMatrix(b)) {
        op.getBMutable().assign(b.getInput());
        op.setTransposeB(!op.getTransposeB());
      }
    });
    return success();
  }
};

/// (a·b)ᵀ = bᵀ·aᵀ, where nothing else uses the product. A bias would be one per row of the new product, which
/// no GEMM adds.
struct FoldTransposedResult : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TransposeOp op, PatternRewriter &rewriter) const override {
    auto gemm = op.getInput().getDefiningOp<GemmOp>();
    if (!swapsMatrix(op) || !gemm || !gemm->hasOneUse() || gemm.getBias() || gemm.getEpilogue() ||
        gemm.getAccumulate())
      return rewriter.notifyMatchFailure(op, "not of a GEMM of its own, without epilogue");
    rewriter.setInsertionPoint(gemm);
    auto type = tensorType(op.getOutput());
    Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), type.getShape(), type.getElementType());
    auto swapped = cast<GemmOp>(rewriter.clone(*gemm));
    rewriter.modifyOpInPlace(swapped, [&] {
      swapped->setLoc(rewriter.getFusedLoc({gemm.getLoc(), op.getLoc()}));
      swapped.getAMutable().assign(gemm.getB());
      swapped.getBMutable().assign(gemm.getA());
      swapped.getCMutable().assign(empty);
      swapped.setTransposeA(!gemm.getTransposeB());
      swapped.setTransposeB(!gemm.getTransposeA());
      swapped.getResult().setType(type);
    });
    rewriter.replaceOp(op, swapped.getResult());
    return success();
  }
};

struct PackExchangesPass : phantom::impl::PhantomPackExchangesBase<PackExchangesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(pack(function)))
        return signalPassFailure();
  }

private:
  static LogicalResult pack(func::FuncOp function) {
    for (Operation &op : function.getOps())
      if (isa<AllGatherOp, ReduceScatterOp>(op) && getState(op.getResult(0).getType()))
        return op.emitOpError("has a state: run phantom-strip-states before");
    auto transposes = [&] { return llvm::range_size(function.getOps<TransposeOp>()); };
    const int64_t before = transposes();
    int64_t packed = 0;
    RewritePatternSet patterns(function.getContext());
    patterns.add<PackExchange<AllGatherOp>, PackExchange<ReduceScatterOp>>(function.getContext(), packed);
    patterns.add<FoldTransposedOperands, FoldTransposedResult>(function.getContext());
    for (StringRef name : {TransposeOp::getOperationName(), tensor::CollapseShapeOp::getOperationName(),
                           tensor::ExpandShapeOp::getOperationName()})
      RegisteredOperationName::lookup(name, function.getContext())
          ->getCanonicalizationPatterns(patterns, function.getContext());
    if (failed(applyPatternsGreedily(function, std::move(patterns))))
      return failure();
    if (packed)
      mlir::emitRemark(function.getLoc())
          << "@" << function.getName() << ": packed " << packed << " exchanges, for which "
          << std::max<int64_t>(transposes() - before, 0) << " transposes are left";
    return success();
  }
};

} // namespace
