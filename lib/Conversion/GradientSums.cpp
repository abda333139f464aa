//===- GradientSums.cpp - Sums of gradients that outlive a run ------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GradientSums.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::phantom;

FailureOr<GradientSum> mlir::phantom::matchGradientSum(arith::AddFOp op) {
  auto function = dyn_cast_or_null<func::FuncOp>(op->getParentOp());
  if (!function || !op->hasOneUse())
    return failure();
  OpOperand &use = *op->use_begin();
  if (!isa<func::ReturnOp>(use.getOwner()))
    return failure();
  Attribute updated = function.getResultAttr(use.getOperandNumber(), PhantomDialect::kUpdated);
  for (auto [sum, term] : {std::pair(op.getLhs(), op.getRhs()), std::pair(op.getRhs(), op.getLhs())})
    if (auto argument = dyn_cast<BlockArgument>(sum);
        argument && updated && argument.hasOneUse() &&
        function.getArgAttr(argument.getArgNumber(), PhantomDialect::kParameter) == updated)
      return GradientSum{argument, term};
  return failure();
}
