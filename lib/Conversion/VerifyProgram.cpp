//===- VerifyProgram.cpp - What must hold before export -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMVERIFYPROGRAM
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

bool isCommand(Operation &op) {
  return isa<GemmOp, LaunchOp, ExchangeStartOp, ExchangeWaitOp, CollectiveOp, EventRecordOp, EventWaitOp>(op);
}

bool namesBuffer(Operation &op) {
  return isa<WindowOp, WindowSlotOp, ArenaOp, memref::ViewOp, memref::CollapseShapeOp, memref::ExpandShapeOp,
             memref::CastOp, memref::GetGlobalOp, arith::ConstantOp>(op);
}

/// Emits the error for an op that no step program has.
LogicalResult refuse(Operation &op) {
  if (isa<memref::AllocOp>(op))
    return op.emitOpError("is not in the arena: run phantom-plan-memory");
  if (isa<memref::CopyOp>(op))
    return op.emitOpError("is a copy outside of a kernel: run phantom-outline-kernels");
  if (isa<ExchangeBufferOp>(op))
    return op.emitOpError("is not split: run phantom-overlap-exchanges");
  return op.emitOpError("cannot be part of a step program");
}

LogicalResult verifyStart(ExchangeStartOp start) {
  if (!start.getWindow().getDefiningOp<WindowOp>())
    return start.emitOpError("is on no phantom.window");
  int waits = 0;
  for (Operation *user : start.getToken().getUsers()) {
    auto wait = dyn_cast<ExchangeWaitOp>(user);
    if (!wait)
      continue;
    ++waits;
    if (wait.getWindow() != start.getWindow())
      return wait.emitOpError("waits on another window than its start");
    bool gathers = start.getKind() == ExchangeKind::AllGather;
    if (gathers == static_cast<bool>(wait.getDestination()))
      return wait.emitOpError(gathers ? "of an all_gather has no destination" : "needs a destination");
  }
  if (waits != 1)
    return start.emitOpError("must have exactly one exchange_wait, has ") << waits;
  return success();
}

struct VerifyProgramPass : phantom::impl::PhantomVerifyProgramBase<VerifyProgramPass> {
  void runOnOperation() override {
    markAllAnalysesPreserved();
    FailureOr<SmallVector<func::FuncOp>> functions = straightLineFunctions(getOperation());
    if (failed(functions))
      return signalPassFailure();
    for (func::FuncOp function : *functions)
      if (failed(verify(function)))
        return signalPassFailure();
  }

private:
  LogicalResult verify(func::FuncOp function) {
    for (Type type : function.getArgumentTypes())
      if (auto memref = dyn_cast<MemRefType>(type); !memref || !memref.hasStaticShape())
        return function.emitError() << "argument of type " << type << " is no buffer of static shape";
    int arenas = 0;
    bool starts = !function.getOps<ExchangeStartOp>().empty();
    for (Operation &op : function.getBody().front().without_terminator()) {
      if (!isCommand(op) && !namesBuffer(op))
        return refuse(op);
      arenas += isa<ArenaOp>(op);
      if (starts && isa<CollectiveOp>(op))
        return op.emitOpError("is beside exchange_start: run phantom-schedule-streams");
      if (auto start = dyn_cast<ExchangeStartOp>(op); start && failed(verifyStart(start)))
        return failure();
      if (auto launch = dyn_cast<LaunchOp>(op))
        if (!SymbolTable::lookupNearestSymbolFrom(launch, launch.getKernel()))
          return launch.emitOpError("calls ") << launch.getKernel() << ", which does not exist";
    }
    if (arenas > 1)
      return function.emitError() << "has " << arenas << " arenas; one holds all buffers";
    return success();
  }
};

} // namespace
