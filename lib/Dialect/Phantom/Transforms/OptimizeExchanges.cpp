//===- OptimizeExchanges.cpp - Fewer and smaller exchanges ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Exchanges write a communication resource, so that no other pass removes or moves them. Every rank runs the
// same program, so what is done to one here is done to all.
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMOPTIMIZEEXCHANGES
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Bytes that one rank sends in a call, under the ring model.
double bytesOf(Operation *exchange) {
  auto element = tensorType(exchange->getResult(0)).getElementType();
  return cast<ExchangeOpInterface>(exchange).getRingElements() * ((element.getIntOrFloatBitWidth() + 7) / 8);
}

/// What an exchange of the model is called, for remarks.
StringRef nameOf(Operation *exchange) {
  return isa<AllGatherOp>(exchange)       ? "all-gather"
         : isa<ReduceScatterOp>(exchange) ? "reduce-scatter"
                                          : "all-reduce";
}

class OptimizeExchangesPass : public phantom::impl::PhantomOptimizeExchangesBase<OptimizeExchangesPass> {
public:
  using PhantomOptimizeExchangesBase::PhantomOptimizeExchangesBase;
  void runOnOperation() override;

private:
  bool removeDead(Operation *exchange);
  bool removeDuplicate(Operation *exchange);
  bool scatterSlices(AllReduceOp reduce);
  bool skipSlices(AllGatherOp gather);
  bool exchangeSum(arith::AddFOp root);
  bool optimize(Block &block);

  /// Says what was done to `exchange`, and how many bytes fewer each rank sends for it.
  void report(Operation *exchange, double bytes, const Twine &what) {
    ++changes;
    savedBytes += bytes;
    exchange->emitRemark() << what.str() << ": " << static_cast<int64_t>(bytes)
                           << " bytes fewer sent per rank and call of @"
                           << exchange->getParentOfType<func::FuncOp>().getName();
  }

  int64_t changes = 0;   ///< in the function at hand
  double savedBytes = 0; ///< that each rank sends in one call of it
};

/// Erases exchanges whose results nothing uses.
bool OptimizeExchangesPass::removeDead(Operation *exchange) {
  if (!exchange->use_empty())
    return false;
  report(exchange, bytesOf(exchange), "nothing uses this " + nameOf(exchange) + ", which is removed");
  exchange->erase();
  return true;
}

/// Whether both give the same values, perhaps in another state.
bool sameValues(Operation *a, Operation *b) {
  return a->getName() == b->getName() && a->getAttrs() == b->getAttrs() &&
         tensorType(a->getResult(0)).getShape() == tensorType(b->getResult(0)).getShape();
}

/// Uses an earlier exchange of the same value. One that gathers for uses that differ per rank can serve uses
/// that do not, and the reverse.
bool OptimizeExchangesPass::removeDuplicate(Operation *exchange) {
  Value operand = exchange->getOperand(0);
  Operation *earlier = nullptr;
  for (Operation *user : operand.getUsers())
    if (user != exchange && user->getBlock() == exchange->getBlock() && user->isBeforeInBlock(exchange) &&
        sameValues(user, exchange))
      earlier = user;
  if (!earlier)
    return false;
  Value known = earlier->getResult(0), value = exchange->getResult(0);
  report(exchange, bytesOf(exchange), "the same " + nameOf(exchange) + " was made before, and serves again");
  if (known.getType() != value.getType()) {
    // Only gathers have a result in one of two states. The replicated one is the one that both follow from.
    auto gather = cast<AllGatherOp>(earlier);
    Type perRank = isReplicated(known.getType()) ? value.getType() : known.getType();
    OpBuilder b(earlier->getContext());
    b.setInsertionPointAfter(earlier);
    known.setType(isReplicated(known.getType()) ? known.getType() : value.getType());
    auto different =
        ReplicateOp::create(b, earlier->getLoc(), perRank, known, gather.getMesh(), gather.getAxis());
    if (value.getType() == perRank)
      value.replaceAllUsesWith(different);
    else
      known.replaceUsesWithIf(different.getOutput(),
                              [&](OpOperand &use) { return use.getOwner() != different; });
  }
  value.replaceAllUsesWith(known);
  exchange->erase();
  return true;
}

/// The users, if all of them slice along one dimension.
SmallVector<LocalSliceOp> onlySlices(Operation *exchange) {
  SmallVector<LocalSliceOp> slices;
  for (Operation *user : exchange->getUsers()) {
    auto slice = dyn_cast<LocalSliceOp>(user);
    if (!slice || (!slices.empty() && slice.getDim() != slices.front().getDim()))
      return {};
    slices.push_back(slice);
  }
  return slices;
}

/// Each rank needs its block of a sum only.
bool OptimizeExchangesPass::scatterSlices(AllReduceOp reduce) {
  SmallVector<LocalSliceOp> slices = onlySlices(reduce);
  if (slices.empty())
    return false;
  OpBuilder b(reduce);
  auto scatter =
      ReduceScatterOp::create(b, reduce.getLoc(), slices.front().getOutput().getType(), reduce.getInput(),
                              slices.front().getDim(), reduce.getMesh(), reduce.getAxis());
  report(reduce, bytesOf(reduce) - bytesOf(scatter), "this all-reduce becomes a reduce-scatter");
  for (LocalSliceOp slice : slices) {
    slice.getOutput().replaceAllUsesWith(scatter.getOutput());
    slice.erase();
  }
  reduce.erase();
  return true;
}

/// A rank's block of what was gathered is what it had. The gather itself may then be dead.
bool OptimizeExchangesPass::skipSlices(AllGatherOp gather) {
  bool changed = false;
  for (Operation *user : llvm::make_early_inc_range(gather->getUsers()))
    if (auto slice = dyn_cast<LocalSliceOp>(user);
        slice && slice.getDim() == gather.getDim() &&
        slice.getOutput().getType() == gather.getInput().getType()) {
      slice.getOutput().replaceAllUsesWith(gather.getInput());
      slice.erase();
      changed = true;
    }
  return changed;
}

/// The values that a tree of sums adds, of which only the root has other uses.
void findSummands(Value value, bool isRoot, SmallVectorImpl<Value> &summands) {
  auto sum = value.getDefiningOp<arith::AddFOp>();
  if (!sum || !(isRoot || value.hasOneUse()))
    return summands.push_back(value);
  findSummands(sum.getLhs(), false, summands);
  findSummands(sum.getRhs(), false, summands);
}

/// Exchanges of a sum that can be one, and the sum's other operands.
struct Mergeable {
  SmallVector<Operation *> exchanges;
  SmallVector<Value> others;
};

/// The first exchange among `summands` that others equal but for what they exchange. None: fewer than two.
Mergeable findMergeable(ArrayRef<Value> summands, Block *block) {
  auto exchangeOf = [&](Value value) -> Operation * {
    Operation *op = value.getDefiningOp();
    bool fits = op && isa<AllGatherOp, ReduceScatterOp, AllReduceOp>(op) && value.hasOneUse();
    return fits && op->getBlock() == block ? op : nullptr;
  };
  for (const Value *first = summands.begin(); first != summands.end(); ++first) {
    Operation *exchange = exchangeOf(*first);
    if (!exchange)
      continue;
    Mergeable found{{exchange}, SmallVector<Value>(summands.begin(), first)};
    for (Value value : llvm::make_range(std::next(first), summands.end())) {
      Operation *other = exchangeOf(value);
      if (other && sameValues(exchange, other) &&
          other->getOperand(0).getType() == exchange->getOperand(0).getType() &&
          other->getResult(0).getType() == exchange->getResult(0).getType())
        found.exchanges.push_back(other);
      else
        found.others.push_back(value);
    }
    if (found.exchanges.size() > 1)
      return found;
  }
  return {};
}

/// Erases `root`, which nothing uses, and the sums that only it used.
void eraseSums(Operation *root) {
  SmallVector<Operation *> sums = {root};
  while (!sums.empty()) {
    Operation *dead = sums.pop_back_val();
    for (Value value : dead->getOperands())
      if (auto inner = value.getDefiningOp<arith::AddFOp>(); inner && value.hasOneUse())
        sums.push_back(inner);
    dead->erase();
  }
}

/// Exchanges are linear: instead of adding the results of several, their operands are added and exchanged
/// once.
bool OptimizeExchangesPass::exchangeSum(arith::AddFOp root) {
  if (root->hasOneUse() && isa<arith::AddFOp>(*root->user_begin()))
    return false; // part of a larger sum
  SmallVector<Value> summands;
  findSummands(root, true, summands);
  auto [merged, others] = findMergeable(summands, root->getBlock());
  if (merged.empty())
    return false;
  Operation *last =
      *llvm::max_element(merged, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  report(last, bytesOf(last) * static_cast<double>(merged.size() - 1),
         "one " + nameOf(last) + " of a sum serves instead of " + Twine(merged.size()));
  OpBuilder b(last);
  auto add = [&](Value a, Value value) -> Value { return arith::AddFOp::create(b, root.getLoc(), a, value); };
  Value operand = merged.front()->getOperand(0);
  for (Operation *other : ArrayRef(merged).drop_front())
    operand = add(operand, other->getOperand(0));
  IRMapping map;
  map.map(last->getOperand(0), operand);
  Value sum = b.clone(*last, map)->getResult(0);
  b.setInsertionPoint(root);
  for (Value other : others)
    sum = add(other, sum);
  root.replaceAllUsesWith(sum);
  eraseSums(root);
  for (Operation *dead : merged)
    dead->erase();
  return true;
}

bool OptimizeExchangesPass::optimize(Block &block) {
  bool changed = false;
  SmallVector<Operation *> exchanges;
  for (Operation &op : block)
    if (isa<AllGatherOp, ReduceScatterOp, AllReduceOp>(op))
      exchanges.push_back(&op);
  for (Operation *exchange : exchanges) {
    if (auto gather = dyn_cast<AllGatherOp>(exchange))
      changed |= skipSlices(gather);
    if (removeDead(exchange) || removeDuplicate(exchange))
      changed = true;
    else if (auto reduce = dyn_cast<AllReduceOp>(exchange))
      changed |= scatterSlices(reduce);
  }
  SmallVector<arith::AddFOp> sums(block.getOps<arith::AddFOp>());
  for (arith::AddFOp sum : llvm::reverse(sums))
    if (exchangeSum(sum))
      return true; // other sums of the list may be gone
  return changed;
}

void OptimizeExchangesPass::runOnOperation() {
  for (auto function : getOperation().getOps<func::FuncOp>()) {
    changes = 0;
    savedBytes = 0;
    for (Block &block : function.getBody())
      while (optimize(block))
        ;
    if (changes)
      mlir::emitRemark(function.getLoc())
          << "@" << function.getName() << ": " << changes
          << " exchanges removed, shared or merged: " << static_cast<int64_t>(savedBytes)
          << " bytes fewer sent per rank and call";
  }
}

} // namespace
