//===- RecomputeActivations.cpp - Compute again what is cheap to compute ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "ByteSize.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMRECOMPUTEACTIVATIONS
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Whether the op computes each element of new tensors from elements of its operands alone.
bool isElementwise(linalg::GenericOp op) {
  if (op.getNumReductionLoops() > 0 || !op.hasPureTensorSemantics())
    return false;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    return init.get().getDefiningOp<tensor::EmptyOp>() && op.getMatchingBlockArgument(&init).use_empty();
  });
}

/// Where a value waits for the backward pass is behind a product, a sum or an exchange.
bool isHeavy(Operation &op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return isa<GemmOp, ExchangeOpInterface>(op) || (generic && generic.getNumReductionLoops() > 0);
}

/// The order of the ops of one block, and the heavy ones among them.
class Schedule {
public:
  explicit Schedule(Block &block) : block(block) {
    for (Operation &op : block) {
      heavyBefore[&op] = heavy;
      heavy += isHeavy(op);
    }
  }

  /// The ops of the block that read `value`, themselves or inside, in order.
  SmallVector<Operation *> readers(Value value) const {
    SmallVector<Operation *> result;
    for (Operation *user : value.getUsers())
      if (Operation *op = block.findAncestorOpInBlock(*user); !llvm::is_contained(result, op))
        result.push_back(op);
    llvm::sort(result, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    return result;
  }

  /// Heavy ops between `a` and `b`, which follows it.
  int64_t heavyBetween(Operation *a, Operation *b) const {
    return heavyBefore.lookup(b) - heavyBefore.lookup(a) - isHeavy(*a);
  }

  /// Gives a new op the place of `next`, in front of which it is.
  void insert(Operation *op, Operation *next) { heavyBefore[op] = heavyBefore.lookup(next); }

private:
  Block &block;
  DenseMap<Operation *, int64_t> heavyBefore;
  int64_t heavy = 0;
};

/// The op that reads a result of `op` after the longest wait; null if none waits.
Operation *firstAfterLongestWait(linalg::GenericOp op, const Schedule &schedule) {
  SmallVector<Operation *> readers;
  for (Value result : op.getResults())
    llvm::append_range(readers, schedule.readers(result));
  llvm::sort(readers, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  Operation *late = nullptr;
  int64_t longest = 0;
  for (size_t i = 1; i < readers.size(); ++i) {
    const int64_t wait = schedule.heavyBetween(readers[i - 1], readers[i]);
    if (wait <= longest || readers[i]->hasTrait<OpTrait::IsTerminator>())
      continue;
    longest = wait;
    late = readers[i];
  }
  return late;
}

/// Whether all that `op` reads is there until `late`, whether or not `op` is computed again.
bool inputsLiveUntil(linalg::GenericOp op, Operation *late, const Schedule &schedule) {
  SetVector<Value> inputs(op.getInputs().begin(), op.getInputs().end());
  getUsedValuesDefinedAbove(op.getRegion(), inputs);
  return llvm::all_of(inputs, [&](Value input) {
    Operation *source = input.getDefiningOp();
    if (!source || source->hasTrait<OpTrait::ConstantLike>())
      return true;
    Operation *last = schedule.readers(input).back();
    return last == late || late->isBeforeInBlock(last);
  });
}

struct RecomputeActivationsPass : phantom::impl::PhantomRecomputeActivationsBase<RecomputeActivationsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        recompute(function);
  }

private:
  static void recompute(func::FuncOp function) {
    Schedule schedule(function.getBody().front());
    int64_t count = 0, bytes = 0;
    for (auto op : llvm::to_vector(function.getOps<linalg::GenericOp>())) {
      if (!isElementwise(op))
        continue;
      Operation *late = firstAfterLongestWait(op, schedule);
      if (!late || !inputsLiveUntil(op, late, schedule))
        continue;
      cloneBefore(op, late, schedule);
      ++count;
      for (Value result : op.getResults())
        bytes += byteSize(cast<ShapedType>(result.getType()));
    }
    if (count)
      mlir::emitRemark(function.getLoc())
          << "@" << function.getName() << ": computes " << count
          << " activations again instead of keeping them: " << bytes << " bytes";
  }

  /// `late` and what follows it read a copy of `op` in front of it.
  static void cloneBefore(linalg::GenericOp op, Operation *late, Schedule &schedule) {
    OpBuilder b(late);
    auto insert = [&](Operation &source) {
      Operation *copy = b.clone(source);
      schedule.insert(copy, late);
      return copy;
    };
    Operation *copy = insert(*op);
    b.setInsertionPoint(copy);
    for (OpOperand &init : cast<linalg::GenericOp>(copy).getDpsInitsMutable())
      init.set(insert(*init.get().getDefiningOp())->getResult(0));
    for (auto [old, fresh] : llvm::zip(op->getResults(), copy->getResults()))
      old.replaceUsesWithIf(fresh, [&](OpOperand &use) {
        Operation *user = op->getBlock()->findAncestorOpInBlock(*use.getOwner());
        return user == late || late->isBeforeInBlock(user);
      });
  }
};

} // namespace
