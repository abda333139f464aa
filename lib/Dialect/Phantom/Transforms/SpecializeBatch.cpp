//===- SpecializeBatch.cpp - Gives the dynamic batch dimension a size -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMSPECIALIZEBATCH
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

class SpecializeBatchPass : public phantom::impl::PhantomSpecializeBatchBase<SpecializeBatchPass> {
public:
  using PhantomSpecializeBatchBase::PhantomSpecializeBatchBase;

  void runOnOperation() override {
    if (batchSize < 1) {
      getOperation().emitError() << "batch-size is " << batchSize.getValue() << "; it must be at least 1";
      return signalPassFailure();
    }
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (failed(specialize(function)))
        return signalPassFailure();
    Builder builder(&getContext());
    getOperation()->setAttr(PhantomDialect::kBatch, builder.getI64IntegerAttr(batchSize));
  }

private:
  LogicalResult specialize(func::FuncOp function);
  LogicalResult specializeInput(func::FuncOp function, BlockArgument argument, bool isBatch);
  LogicalResult specializeResults(Operation &op);
  int64_t extentFromOperand(Operation &op, RankedTensorType type);
};

/// `type` with its dynamic dimension set to `size`.
RankedTensorType withDynamicDim(RankedTensorType type, int64_t size) {
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = size;
  return RankedTensorType::get(shape, type.getElementType(), type.getEncoding());
}

/// The extent of the first operand's dimension that a result's dynamic dimension follows. It differs from the
/// batch only below a reshape that merges the batch with other dimensions.
int64_t SpecializeBatchPass::extentFromOperand(Operation &op, RankedTensorType type) {
  SmallVector<int64_t> source = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
  if (auto transpose = dyn_cast<TransposeOp>(op))
    source = llvm::to_vector(transpose.getPermutation());
  if (auto sum = dyn_cast<ReduceSumOp>(op)) {
    source.clear();
    for (int64_t d = 0; d < cast<RankedTensorType>(sum.getInput().getType()).getRank(); ++d)
      if (!llvm::is_contained(sum.getDims(), d))
        source.push_back(d);
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    auto indices = cast<RankedTensorType>(gather.getIndices().getType());
    auto input = cast<RankedTensorType>(gather.getInput().getType());
    int64_t dim = gather.getDim(), count = indices.getRank();
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        return d < dim           ? input.getDimSize(d)
               : d < dim + count ? indices.getDimSize(d - dim)
                                 : input.getDimSize(d - count + 1);
  }
  auto operand =
      op.getNumOperands() ? dyn_cast<RankedTensorType>(op.getOperand(0).getType()) : RankedTensorType();
  for (int64_t d = 0; operand && d < type.getRank(); ++d)
    if (type.isDynamicDim(d) && source[d] < operand.getRank())
      return operand.getDimSize(source[d]);
  return batchSize;
}

LogicalResult SpecializeBatchPass::specializeInput(func::FuncOp function, BlockArgument argument,
                                                   bool isBatch) {
  auto type = cast<RankedTensorType>(argument.getType());
  if (type.getNumDynamicDims() > 1 || (type.getNumDynamicDims() == 1 && !type.isDynamicDim(0)))
    return function.emitError()
           << "input " << argument.getArgNumber() << " of type " << type
           << " has a dynamic dimension besides the first, the batch: export the model with it fixed";
  if (type.getNumDynamicDims() == 0) {
    if (isBatch && type.getRank() > 0 && type.getDimSize(0) != batchSize)
      return function.emitError() << "input " << argument.getArgNumber() << " has a fixed batch of "
                                  << type.getDimSize(0) << ", not " << batchSize.getValue()
                                  << ": use that batch size, or export with a dynamic batch";
    return success();
  }
  argument.setType(withDynamicDim(type, batchSize));
  return success();
}

/// The size of a result's dynamic dimension follows from the operands: the
/// batch itself, or, for a reshape, what the number of elements leaves.
LogicalResult SpecializeBatchPass::specializeResults(Operation &op) {
  for (Value result : op.getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    if (!type || type.hasStaticShape())
      continue;
    int64_t size = batchSize;
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      int64_t known = 1;
      for (int64_t extent : type.getShape())
        known *= ShapedType::isDynamic(extent) ? 1 : extent;
      int64_t elements = cast<RankedTensorType>(reshape.getInput().getType()).getNumElements();
      if (known == 0 || elements % known != 0)
        return op.emitError() << "cannot reshape " << elements << " elements to " << type;
      size = elements / known;
    } else if (auto like = dyn_cast<BroadcastOp>(op); like && like.getLike()) {
      result.setType(RankedTensorType::get(cast<RankedTensorType>(like.getLike().getType()).getShape(),
                                           type.getElementType(), type.getEncoding()));
      continue;
    } else {
      size = extentFromOperand(op, type);
    }
    result.setType(withDynamicDim(type, size));
  }
  return success();
}

LogicalResult SpecializeBatchPass::specialize(func::FuncOp function) {
  if (function.isExternal())
    return success();
  SmallVector<BlockArgument> inputs;
  for (BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), PhantomDialect::kInput) &&
        isa<RankedTensorType>(argument.getType()))
      inputs.push_back(argument);
  // Where no input leaves the batch open, the first one states it; others may be of any shape.
  bool open = llvm::any_of(inputs, [](BlockArgument argument) {
    return !cast<RankedTensorType>(argument.getType()).hasStaticShape();
  });
  for (auto [i, argument] : llvm::enumerate(inputs))
    if (failed(specializeInput(function, argument, /*isBatch=*/!open && i == 0)))
      return failure();
  for (Operation &op : function.getBody().front())
    if (failed(specializeResults(op)))
      return failure();
  auto &block = function.getBody().front();
  function.setFunctionType(
      FunctionType::get(&getContext(), block.getArgumentTypes(), block.getTerminator()->getOperandTypes()));
  return success();
}

} // namespace
