//===- Sums.cpp - What a linalg op adds up --------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sums.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::phantom;

static SmallVector<unsigned> reducedLoops(linalg::LinalgOp op) {
  SmallVector<unsigned> loops;
  op.getReductionDims(loops);
  return loops;
}

bool mlir::phantom::isSum(linalg::LinalgOp op, OpOperand &init) {
  SmallVector<unsigned> reduced = reducedLoops(op);
  AffineMap map = op.getMatchingIndexingMap(&init);
  return !reduced.empty() && llvm::none_of(reduced, [&](unsigned loop) { return map.isFunctionOfDim(loop); });
}

bool mlir::phantom::isMap(linalg::LinalgOp op, OpOperand &init) {
  return op.getMatchingIndexingMap(&init).isPermutation();
}

Operation *mlir::phantom::combinerOf(linalg::LinalgOp op, OpOperand &init) {
  if (!isSum(op, init))
    return nullptr;
  Value yielded = op.getMatchingYieldValue(&init)->get();
  BlockArgument sum = op.getMatchingBlockArgument(&init);
  Operation *combiner = yielded.getDefiningOp();
  if (!combiner || combiner->getBlock() != op.getBlock() || combiner->getNumOperands() != 2 ||
      !sum.hasOneUse() || *sum.user_begin() != combiner || !yielded.hasOneUse() ||
      !arith::getNeutralElement(combiner))
    return nullptr;
  return combiner;
}

bool mlir::phantom::readsAlongSums(linalg::LinalgOp op) {
  OpOperand *largest = nullptr;
  int64_t most = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    auto type = dyn_cast<ShapedType>(operand.get().getType());
    if (type && type.hasStaticShape() && type.getRank() > 0 && type.getNumElements() > most) {
      most = type.getNumElements();
      largest = &operand;
    }
  }
  if (!largest)
    return true;
  AffineExpr last = op.getMatchingIndexingMap(largest).getResults().back();
  return llvm::any_of(reducedLoops(op), [&](unsigned loop) { return last.isFunctionOfDim(loop); });
}
