//===- VerifyPartition.cpp - Checks the states of a partitioned program -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMVERIFYPARTITION
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

class VerifyPartitionPass : public phantom::impl::PhantomVerifyPartitionBase<VerifyPartitionPass> {
public:
  using PhantomVerifyPartitionBase::PhantomVerifyPartitionBase;

  void runOnOperation() override {
    markAllAnalysesPreserved();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && (failed(verifyBoundary(function)) || failed(verifyElementwise(function))))
        return signalPassFailure();
  }

private:
  static LogicalResult verifyArgument(func::FuncOp function, unsigned index);
  static LogicalResult verifyResult(func::FuncOp function, unsigned index);
  static LogicalResult verifyBoundary(func::FuncOp function);
  static LogicalResult verifyElementwise(func::FuncOp function);
};

/// A stacked parameter holds the rank's own values: a diagonal block, or the columns of decompressors.
bool fits(LayoutAttr layout, Type type) {
  StateAttr state = getState(type);
  if (!layout || layout.getKind() == LayoutKind::Replicated)
    return !state;
  if (layout.getKind() == LayoutKind::Stacked)
    return state && (state.getKind() == StateKind::Block || state.getKind() == StateKind::Shard);
  return getShardDim(type) == layout.getDim();
}

LogicalResult VerifyPartitionPass::verifyArgument(func::FuncOp function, unsigned index) {
  Type type = function.getArgumentTypes()[index];
  bool data = function.getArgAttr(index, PhantomDialect::kInput) ||
              function.getArgAttr(index, PhantomDialect::kTarget) ||
              function.getArgAttr(index, PhantomDialect::kScalar);
  if (data && !isReplicated(type))
    return function.emitError() << "argument " << index << " is data and has state " << getState(type)
                                << "; data are replicated";
  ParameterOp parameter = getParameter(function.getArgument(index));
  if (parameter && !fits(parameter.getLayoutAttr(), type))
    return function.emitError() << "argument " << index << " has type " << type
                                << ", which the layout of parameter '" << parameter.getSymName()
                                << "' does not give";
  return success();
}

LogicalResult VerifyPartitionPass::verifyResult(func::FuncOp function, unsigned index) {
  Type type = function.getResultTypes()[index];
  bool reported = function.getResultAttr(index, PhantomDialect::kOutput) ||
                  function.getResultAttr(index, PhantomDialect::kLoss);
  if (reported && !isReplicated(type))
    return function.emitError() << "result " << index << " has state " << getState(type)
                                << "; outputs are replicated";
  for (StringRef name : {PhantomDialect::kGradient, PhantomDialect::kUpdated}) {
    Attribute symbol = function.getResultAttr(index, name);
    for (BlockArgument argument : function.getArguments())
      if (symbol && function.getArgAttr(argument.getArgNumber(), PhantomDialect::kParameter) == symbol &&
          argument.getType() != type)
        return function.emitError() << "result " << index << " is of type " << type << ", parameter "
                                    << symbol << " of " << argument.getType();
  }
  return success();
}

LogicalResult VerifyPartitionPass::verifyBoundary(func::FuncOp function) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (failed(verifyArgument(function, i)))
      return failure();
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (failed(verifyResult(function, i)))
      return failure();
  return success();
}

/// Sums of partial values are partial; nothing else that is elementwise keeps them so.
LogicalResult VerifyPartitionPass::verifyElementwise(func::FuncOp function) {
  WalkResult result = function.walk([](Operation *op) -> WalkResult {
    if (!op->hasTrait<OpTrait::Elementwise>() || isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(op))
      return WalkResult::advance();
    for (Type type : op->getOperandTypes())
      if (hasStateKind(type, StateKind::Partial))
        return op->emitError() << "'" << op->getName() << "' of a partial value: reduce it first";
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

} // namespace
