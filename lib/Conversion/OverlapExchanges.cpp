//===- OverlapExchanges.cpp - Exchanges in halves, started early and waited for late -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMOVERLAPEXCHANGES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// The last op before `exchange` that may write the rank's slot; null where nothing does.
Operation *lastWriterOfSlot(ExchangeBufferOp exchange) {
  Operation *last = nullptr;
  for (Operation *slot : exchange.getWindow().getUsers()) {
    if (!isa<WindowSlotOp>(slot))
      continue;
    for (const BufferUse &use : usesOf(slot->getResult(0), exchange->getBlock()))
      if (use.op->isBeforeInBlock(exchange) && mayWrite(use.user, use.view) &&
          (!last || last->isBeforeInBlock(use.op)))
        last = use.op;
  }
  return last;
}

/// The first op behind `exchange` that uses its result: the gathered window, or the destination.
Operation *firstUser(ExchangeBufferOp exchange) {
  Operation *first = exchange->getBlock()->getTerminator();
  Value result = exchange.getDestination() ? exchange.getDestination() : exchange.getWindow();
  // A destination may be the slot of another window: it is used as such, and by the exchange of that window.
  for (Value root : {rootOrSlotOf(result), rootOf(result)})
    for (const BufferUse &use : usesOf(root, exchange->getBlock()))
      if (exchange->isBeforeInBlock(use.op) && use.op->isBeforeInBlock(first))
        first = use.op;
  return first;
}

struct OverlapExchangesPass : phantom::impl::PhantomOverlapExchangesBase<OverlapExchangesPass> {
  using PhantomOverlapExchangesBase::PhantomOverlapExchangesBase;

  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> functions = straightLineFunctions(getOperation());
    if (failed(functions))
      return signalPassFailure();
    for (func::FuncOp function : *functions) {
      Operation *lastStart = nullptr;
      int64_t exchanges = 0, covered = 0;
      llvm::DenseSet<Operation *> beside;
      for (auto exchange : llvm::to_vector(function.getOps<ExchangeBufferOp>())) {
        auto [start, wait] = split(exchange, lastStart);
        lastStart = start;
        ++exchanges;
        bool covers = false;
        for (Operation *op = start->getNextNode(); op != wait; op = op->getNextNode())
          if (isa<GemmOp, LaunchOp>(op)) {
            covers = true;
            beside.insert(op);
          }
        covered += covers;
      }
      if (exchanges)
        report(function, exchanges, covered, beside);
    }
  }

private:
  /// Says what runs beside the exchanges: the time that they can take without costing any.
  static void report(func::FuncOp function, int64_t exchanges, int64_t covered,
                     const llvm::DenseSet<Operation *> &beside) {
    InFlightDiagnostic remark = mlir::emitRemark(function.getLoc()) << "@" << function.getName() << ": ";
    if (beside.empty()) {
      remark << "nothing runs beside the " << exchanges << " exchanges";
      return;
    }
    int64_t flops = 0;
    for (Operation *op : beside)
      if (auto gemm = dyn_cast<GemmOp>(op))
        flops += 2 * gemm.getM() * gemm.getN() * gemm.getK();
    remark << beside.size() << " GEMMs and kernels, with " << flops << " flops of GEMMs, run beside "
           << covered << " of " << exchanges << " exchanges";
  }

  std::pair<Operation *, Operation *> split(ExchangeBufferOp exchange, Operation *lastStart) {
    OpBuilder builder(exchange);
    if (overlap) {
      Operation *behind = lastWriterOfSlot(exchange);
      if (behind && lastStart && behind->isBeforeInBlock(lastStart))
        behind = lastStart;
      if (behind)
        builder.setInsertionPointAfter(behind);
    }
    auto start = ExchangeStartOp::create(builder, exchange.getLoc(), TokenType::get(exchange.getContext()),
                                         exchange.getKindAttr(), exchange.getWindow(), exchange.getDimAttr(),
                                         exchange.getMeshAttr(), exchange.getAxisAttr());
    builder.setInsertionPoint(overlap ? firstUser(exchange) : exchange.getOperation());
    auto wait = ExchangeWaitOp::create(builder, exchange.getLoc(), start.getToken(), exchange.getWindow(),
                                       exchange.getDestination());
    exchange.erase();
    return {start, wait};
  }
};

} // namespace
