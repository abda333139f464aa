//===- Bufferize.cpp - Tensors to buffers, exchanges to windows -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"
#include "ElideCopies.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMBUFFERIZE
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Gives every destination its own `tensor.empty` or fill: shared ones would be copied.
void separateDestinations(func::FuncOp function) {
  OpBuilder builder(function.getContext());
  auto separate = [&](Operation *op) {
    if (op->use_empty()) // or of buffers, without a result
      return;
    Value value = op->getResult(0);
    for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(value.getUses()))) {
      builder.setInsertionPoint(use.getOwner());
      use.set(builder.clone(*op)->getResult(0));
    }
  };
  function.walk([&](linalg::FillOp op) { separate(op); });
  function.walk([&](tensor::EmptyOp op) { separate(op); });
}

/// Parameters and states that the function updates are its own to overwrite. All else is the caller's:
/// inputs, scalars and parameters that must stay as they are for the next run.
void markWritableArguments(func::FuncOp function) {
  Builder builder(function.getContext());
  llvm::SmallDenseSet<Attribute> updated;
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (Attribute name = function.getResultAttr(i, PhantomDialect::kUpdated))
      updated.insert(name);
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    Attribute name = function.getArgAttr(i, PhantomDialect::kParameter);
    const bool writable = name && updated.contains(name);
    function.setArgAttr(i, bufferization::BufferizationDialect::kWritableAttrName,
                        builder.getBoolAttr(writable));
  }
}

/// Every updated parameter must be returned in its own argument.
LogicalResult verifyUpdatedInPlace(func::FuncOp function) {
  auto returnOp = cast<func::ReturnOp>(function.getBody().front().getTerminator());
  for (auto [i, value] : llvm::enumerate(returnOp.getOperands())) {
    auto name = function.getResultAttrOfType<FlatSymbolRefAttr>(i, PhantomDialect::kUpdated);
    if (!name)
      continue;
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || function.getArgAttr(argument.getArgNumber(), PhantomDialect::kParameter) != name)
      return function.emitError() << "parameter " << name
                                  << " cannot be updated in place: its old value is used after "
                                  << "the update; move the uses before it";
  }
  return success();
}

/// "function.all_gather0" and so on.
void nameWindows(func::FuncOp function) {
  llvm::StringMap<int> counts;
  for (auto exchange : function.getOps<ExchangeBufferOp>()) {
    StringRef kind = stringifyExchangeKind(exchange.getKind());
    std::string name = (function.getName() + "." + kind + Twine(counts[kind]++)).str();
    if (auto window = exchange.getWindow().getDefiningOp<WindowOp>())
      window.setName(name);
  }
}

struct BufferizePass : phantom::impl::PhantomBufferizeBase<BufferizePass> {
  using PhantomBufferizeBase::PhantomBufferizeBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    FailureOr<SmallVector<func::FuncOp>> functions = straightLineFunctions(module);
    if (failed(functions))
      return signalPassFailure();
    for (func::FuncOp function : *functions) {
      separateDestinations(function);
      markWritableArguments(function);
    }
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(module, options, state)))
      return signalPassFailure();
    bufferization::removeBufferizationAttributesInModule(module);

    RewritePatternSet patterns(&getContext());
    for (StringRef dialect : {"memref", "bufferization"})
      getContext().getLoadedDialect(dialect)->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op : getContext().getRegisteredOperations())
      if (op.getDialectNamespace() == "memref" || op.getDialectNamespace() == "bufferization")
        op.getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(module, std::move(patterns))))
      return signalPassFailure();

    for (func::FuncOp function : *functions) {
      if (failed(verifyUpdatedInPlace(function)))
        return signalPassFailure();
      nameWindows(function);
      int64_t elided = elideCopies ? elideSlotCopies(function) : 0;
      auto exchanges = llvm::range_size(function.getOps<ExchangeBufferOp>());
      if (exchanges)
        mlir::emitRemark(function.getLoc())
            << "@" << function.getName() << ": " << elided << " of " << exchanges
            << " exchanges are written by their producer, without a copy";
    }
  }
};

} // namespace
