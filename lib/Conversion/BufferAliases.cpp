//===- BufferAliases.cpp - Which memory a buffer value refers to -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::phantom;

FailureOr<SmallVector<func::FuncOp>> mlir::phantom::straightLineFunctions(ModuleOp module) {
  SmallVector<func::FuncOp> functions;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (!llvm::hasSingleElement(function.getBody())) {
      function.emitError() << "must be one block of straight-line code";
      return failure();
    }
    functions.push_back(function);
  }
  return functions;
}

bool mlir::phantom::isView(Operation *op) { return isa<ViewLikeOpInterface, WindowSlotOp>(op); }

Value mlir::phantom::rootOrSlotOf(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

Value mlir::phantom::rootOf(Value buffer) {
  buffer = rootOrSlotOf(buffer);
  if (auto slot = buffer.getDefiningOp<WindowSlotOp>())
    return slot.getWindow();
  return buffer;
}

SmallVector<BufferUse> mlir::phantom::usesOf(Value root, Block *block) {
  SmallVector<BufferUse> uses;
  SmallVector<Value> views{root};
  while (!views.empty()) {
    Value view = views.pop_back_val();
    for (Operation *user : view.getUsers()) {
      if (isa<ViewLikeOpInterface>(user))
        views.push_back(user->getResult(0));
      else if (!isa<WindowSlotOp>(user))
        uses.push_back({block->findAncestorOpInBlock(*user), user, view});
    }
  }
  return uses;
}

bool mlir::phantom::mayWrite(Operation *op, Value buffer) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects)
    return true;
  return effects.getEffectOnValue<MemoryEffects::Write>(buffer).has_value();
}
