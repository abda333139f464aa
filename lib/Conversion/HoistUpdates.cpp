//===- HoistUpdates.cpp - Update parameters early -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMHOISTUPDATES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Whether the op only shows its first operand in another shape.
bool isReshape(Operation *op) { return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op); }

/// What `value` is another shape of.
Value withoutReshapes(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isReshape(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// The uses of `value`, and of its other shapes.
void collectUsers(Value value, SmallVectorImpl<Operation *> &users) {
  for (Operation *user : value.getUsers())
    if (isReshape(user))
      collectUsers(user->getResult(0), users);
    else
      users.push_back(user);
}

/// The parameters and states that `op` writes; empty if there are none.
SmallVector<BlockArgument> writtenParameters(linalg::LinalgOp op) {
  SmallVector<BlockArgument> written;
  auto function = cast<func::FuncOp>(op->getParentOp());
  for (Value init : op.getDpsInits())
    if (auto argument = dyn_cast<BlockArgument>(withoutReshapes(init));
        argument && function.getArgAttr(argument.getArgNumber(), PhantomDialect::kParameter))
      written.push_back(argument);
  return written;
}

/// Whether the op fills, or names, memory for another one.
bool isFresh(Operation *op) {
  return isa<tensor::EmptyOp, linalg::FillOp>(op) || op->hasTrait<OpTrait::ConstantLike>();
}

/// Whether the op can be anywhere: it reads only arguments, as the correction of Adam does.
bool isFree(Operation *op) {
  return isFresh(op) || (isa<linalg::LinalgOp>(op) && llvm::all_of(op->getOperands(), [](Value operand) {
                           Operation *source = operand.getDefiningOp();
                           return !source || isFresh(source);
                         }));
}

/// The last op that must come before `update`; null where nothing must, and nothing where it has to stay.
std::optional<Operation *> lastBefore(linalg::LinalgOp update, ArrayRef<BlockArgument> written) {
  Operation *last = nullptr;
  auto follow = [&](Operation *op) {
    if (!last || last->isBeforeInBlock(op))
      last = op;
  };
  for (Value operand : update->getOperands()) {
    Operation *source = withoutReshapes(operand).getDefiningOp();
    if (!source || isFree(source))
      continue; // moves with the update
    if (isa<ExchangeOpInterface>(source))
      return std::nullopt;
    follow(source);
  }
  SmallVector<Operation *> users;
  for (BlockArgument argument : written)
    collectUsers(argument, users);
  for (Operation *user : users)
    if (user != update && !user->hasTrait<OpTrait::IsTerminator>()) {
      if (update->isBeforeInBlock(user))
        return std::nullopt; // needs the old value later: for the bufferization to report
      follow(user);
    }
  return last;
}

struct HoistUpdatesPass : phantom::impl::PhantomHoistUpdatesBase<HoistUpdatesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && function.getBody().hasOneBlock())
        hoistUpdates(function);
  }

private:
  static void hoistUpdates(func::FuncOp function) {
    IRRewriter rewriter(function.getContext());
    DominanceInfo dominance(function);
    int64_t updates = 0, moved = 0;
    for (auto update : llvm::to_vector(function.getOps<linalg::LinalgOp>())) {
      SmallVector<BlockArgument> written = writtenParameters(update);
      if (written.empty())
        continue;
      ++updates;
      std::optional<Operation *> last = lastBefore(update, written);
      if (!last)
        continue;
      Operation *next = *last ? (*last)->getNextNode() : &update->getBlock()->front();
      // What is there already, but for its own reshapes and buffers, stays.
      if (next == update || failed(moveOperationDependencies(rewriter, update, next, dominance)))
        continue;
      rewriter.moveOpBefore(update, next);
      ++moved;
    }
    if (updates)
      mlir::emitRemark(function.getLoc()) << "@" << function.getName() << ": " << moved << " of " << updates
                                          << " updates moved to where their gradients are made";
  }
};

} // namespace
