//===- SplitReductions.cpp - Large sums in parts ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sums.h"

#include "phantom/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMSPLITREDUCTIONS
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Where a GPU has enough to do: so many blocks that each make one sum, or threads that do.
constexpr int64_t kWantedBlocks = 1024, kWantedThreads = 65536;
/// What a part should have at least, so that it pays to add it up.
constexpr int64_t kBlockTerms = 512, kThreadTerms = 16;
/// Below, a second kernel costs more than the wait for the first.
constexpr int64_t kSmallestBlockSum = 8 * kBlockTerms, kSmallestThreadSums = 65536;

/// A loop, to be divided into an outer one over parts and an inner one over each part's iterations.
struct Split {
  unsigned loop = 0;
  int64_t parts = 1, perPart = 1;
};

/// How far `parts` is from `wanted`, as a ratio from 1 on.
double distance(int64_t parts, int64_t wanted) {
  return double(std::max(parts, wanted)) / double(std::min(parts, wanted));
}

int64_t nearestDivisor(int64_t extent, int64_t wanted) {
  int64_t best = 1;
  for (int64_t divisor = 1; divisor <= extent / divisor; ++divisor)
    if (extent % divisor == 0)
      for (int64_t candidate : {divisor, extent / divisor})
        if (distance(candidate, wanted) < distance(best, wanted))
          best = candidate;
  return best;
}

/// Splits one op.
class ReductionSplitter {
public:
  ReductionSplitter(RewriterBase &rewriter, linalg::LinalgOp op) : rewriter(rewriter), op(op) {}

  /// Null if there is nothing to gain, or the op's sums cannot be made in parts.
  std::optional<Split> find();
  void apply(const Split &split);

private:
  bool isDivisible(unsigned loop);
  AffineMap splitMap(AffineMap map);
  SmallVector<ReassociationIndices> groupsOf(OpOperand &operand);
  Value splitOperand(OpOperand &operand);
  Value splitSum(OpOperand &init, Operation *combiner);
  void cloneBody(OpBuilder &builder, ValueRange arguments);
  Value joinSum(OpOperand &init, Operation *combiner, Value parts);
  Value joinMap(OpOperand &init, Value parts);
  bool isWhole() const { return split.perPart == 1; }

  RewriterBase &rewriter;
  linalg::LinalgOp op;
  Split split;
};

std::optional<Split> ReductionSplitter::find() {
  if (!op.hasPureTensorSemantics() || op.hasDynamicShape())
    return std::nullopt;
  int64_t sums = 1, terms = 1;
  SmallVector<unsigned> reduced;
  for (auto [loop, kind, extent] : llvm::enumerate(op.getIteratorTypesArray(), op.getStaticLoopRanges())) {
    const bool reduces = kind == utils::IteratorType::reduction;
    (reduces ? terms : sums) *= extent;
    if (reduces)
      reduced.push_back(loop);
  }
  if (sums == 0 || terms == 0 || reduced.empty())
    return std::nullopt;
  const bool byBlocks = readsAlongSums(op);
  if (byBlocks ? terms < kSmallestBlockSum : sums * terms < kSmallestThreadSums)
    return std::nullopt;
  // Who adds the parts of a thread's sum is one thread, too.
  const int64_t wanted =
      byBlocks ? std::min(kWantedBlocks / sums, terms / kBlockTerms)
               : std::min({kWantedThreads / sums, terms / kThreadTerms, int64_t(std::sqrt(double(terms)))});
  if (wanted < 2)
    return std::nullopt;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (!isMap(op, init) && !combinerOf(op, init))
      return std::nullopt;
  std::optional<Split> best;
  for (unsigned loop : reduced) {
    const int64_t extent = op.getStaticLoopRanges()[loop];
    const int64_t parts = nearestDivisor(extent, wanted);
    const bool isBetter = !best || distance(parts, wanted) < distance(best->parts, wanted);
    if (parts > 1 && isBetter && isDivisible(loop))
      best = Split{loop, parts, extent / parts};
  }
  return best;
}

/// Whether the loop's index is, in each operand, that of a dimension or not there.
bool ReductionSplitter::isDivisible(unsigned loop) {
  return llvm::all_of(op.getIndexingMapsArray(), [&](AffineMap map) {
    return llvm::all_of(map.getResults(), [&](AffineExpr result) {
      return isa<AffineDimExpr>(result) || !result.isFunctionOfDim(loop);
    });
  });
}

/// The map over the new loops, in which that over parts comes first.
AffineMap ReductionSplitter::splitMap(AffineMap map) {
  MLIRContext *context = op.getContext();
  const unsigned added = isWhole() ? 0 : 1;
  SmallVector<AffineExpr> dims;
  for (unsigned dim = 0; dim < map.getNumDims(); ++dim)
    dims.push_back(getAffineDimExpr(dim + (dim > split.loop ? added : 0), context));
  SmallVector<AffineExpr> results;
  for (AffineExpr result : map.getResults()) {
    results.push_back(result.replaceDims(dims));
    if (!isWhole() && result == getAffineDimExpr(split.loop, context))
      results.push_back(getAffineDimExpr(split.loop + 1, context));
  }
  return AffineMap::get(map.getNumDims() + added, 0, results, context);
}

/// Which dimensions of the operand over the new loops are one of its own.
SmallVector<ReassociationIndices> ReductionSplitter::groupsOf(OpOperand &operand) {
  SmallVector<ReassociationIndices> groups;
  int64_t dim = 0;
  for (AffineExpr result : op.getMatchingIndexingMap(&operand).getResults()) {
    ReassociationIndices &group = groups.emplace_back();
    group.push_back(dim++);
    if (result == getAffineDimExpr(split.loop, op.getContext()))
      group.push_back(dim++);
  }
  return groups;
}

/// The operand with the split loop's dimension as two.
Value ReductionSplitter::splitOperand(OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (isWhole() || !map.isFunctionOfDim(split.loop))
    return operand.get();
  auto type = cast<RankedTensorType>(operand.get().getType());
  SmallVector<int64_t> shape;
  for (auto [group, extent] : llvm::zip(groupsOf(operand), type.getShape()))
    if (group.size() > 1)
      shape.append({split.parts, split.perPart});
    else
      shape.push_back(extent);
  return tensor::ExpandShapeOp::create(rewriter, op.getLoc(), type.clone(shape), operand.get(),
                                       groupsOf(operand));
}

/// The parts of a sum, which start from the neutral element.
Value ReductionSplitter::splitSum(OpOperand &init, Operation *combiner) {
  auto type = cast<RankedTensorType>(init.get().getType());
  SmallVector<int64_t> shape{split.parts};
  llvm::append_range(shape, type.getShape());
  Value start = arith::ConstantOp::create(rewriter, op.getLoc(), *arith::getNeutralElement(combiner));
  Value empty = tensor::EmptyOp::create(rewriter, op.getLoc(), shape, type.getElementType());
  return linalg::FillOp::create(rewriter, op.getLoc(), start, empty).getResult(0);
}

/// The body over the new loops.
void ReductionSplitter::cloneBody(OpBuilder &builder, ValueRange arguments) {
  IRMapping mapping;
  mapping.map(op.getBlock()->getArguments(), arguments);
  for (Operation &nested : *op.getBlock()) {
    auto index = dyn_cast<linalg::IndexOp>(nested);
    if (!index || isWhole()) {
      builder.clone(nested, mapping);
      continue;
    }
    const unsigned loop = index.getDim();
    Value result = linalg::IndexOp::create(builder, op.getLoc(), loop + (loop > split.loop ? 1 : 0));
    if (loop == split.loop) {
      AffineExpr part, inner;
      bindDims(op.getContext(), part, inner);
      Value within = linalg::IndexOp::create(builder, op.getLoc(), loop + 1);
      result = affine::AffineApplyOp::create(builder, op.getLoc(), part * split.perPart + inner,
                                             ValueRange{result, within});
    }
    mapping.map(index.getResult(), result);
  }
}

/// The sum of the parts, added to what the op's sum starts from.
Value ReductionSplitter::joinSum(OpOperand &init, Operation *combiner, Value parts) {
  const int64_t rank = cast<RankedTensorType>(parts.getType()).getRank();
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators[0] = utils::IteratorType::reduction;
  AffineMap all = rewriter.getMultiDimIdentityMap(rank);
  AffineMap maps[] = {all, all.dropResult(0)};
  auto body = [&](OpBuilder &builder, Location loc, ValueRange arguments) {
    IRMapping mapping;
    for (Value operand : combiner->getOperands())
      mapping.map(operand, operand == op.getMatchingBlockArgument(&init) ? arguments[1] : arguments[0]);
    Operation *joined = builder.clone(*combiner, mapping);
    linalg::YieldOp::create(builder, loc, joined->getResults());
  };
  return linalg::GenericOp::create(rewriter, op.getLoc(), init.get().getType(), parts, init.get(), maps,
                                   iterators, body)
      .getResult(0);
}

/// A result of elements of their own, in its shape.
Value ReductionSplitter::joinMap(OpOperand &init, Value parts) {
  if (parts.getType() == init.get().getType())
    return parts;
  return tensor::CollapseShapeOp::create(rewriter, op.getLoc(), init.get().getType(), parts, groupsOf(init));
}

void ReductionSplitter::apply(const Split &chosen) {
  split = chosen;
  rewriter.setInsertionPoint(op);
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  if (!isWhole())
    iterators.insert(iterators.begin() + split.loop, utils::IteratorType::parallel);
  iterators[split.loop] = utils::IteratorType::parallel;

  SmallVector<Value> inputs, inits;
  SmallVector<AffineMap> maps;
  for (OpOperand *input : op.getDpsInputOperands()) {
    inputs.push_back(splitOperand(*input));
    maps.push_back(splitMap(op.getMatchingIndexingMap(input)));
  }
  for (OpOperand &init : op.getDpsInitsMutable()) {
    AffineMap map = splitMap(op.getMatchingIndexingMap(&init));
    Operation *combiner = combinerOf(op, init);
    inits.push_back(combiner ? splitSum(init, combiner) : splitOperand(init));
    maps.push_back(combiner ? map.insertResult(getAffineDimExpr(split.loop, op.getContext()), 0) : map);
  }
  auto parts = linalg::GenericOp::create(
      rewriter, op.getLoc(), TypeRange(ValueRange(inits)), inputs, inits, maps, iterators,
      [&](OpBuilder &builder, Location, ValueRange arguments) { cloneBody(builder, arguments); });
  SmallVector<Value> results;
  for (auto [init, part] : llvm::zip(op.getDpsInitsMutable(), parts.getResults())) {
    Operation *combiner = combinerOf(op, init);
    results.push_back(combiner ? joinSum(init, combiner, part) : joinMap(init, part));
  }
  rewriter.replaceOp(op, results);
}

struct SplitReductionsPass : phantom::impl::PhantomSplitReductionsBase<SplitReductionsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      int64_t count = 0;
      for (auto op : llvm::to_vector(function.getOps<linalg::GenericOp>())) {
        ReductionSplitter splitter(rewriter, op);
        if (std::optional<Split> split = splitter.find()) {
          splitter.apply(*split);
          ++count;
        }
      }
      if (count > 0)
        mlir::emitRemark(function.getLoc())
            << "@" << function.getName() << ": " << count << " large sums are made in parts";
    }
  }
};

} // namespace
