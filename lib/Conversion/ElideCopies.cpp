//===- ElideCopies.cpp - Producers that write into window slots -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ElideCopies.h"

#include "BufferAliases.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// The type of `view` if its source had type `source`; null where it cannot be.
MemRefType viewTypeOn(Operation *view, MemRefType source) {
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(view)) {
    auto groups = collapse.getReassociationIndices();
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(source, groups))
      return {};
    return memref::CollapseShapeOp::computeCollapsedType(source, groups);
  }
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(view)) {
    auto type = memref::ExpandShapeOp::computeExpandedType(source, expand.getResultType().getShape(),
                                                           expand.getReassociationIndices());
    return succeeded(type) ? *type : MemRefType();
  }
  return {};
}

/// Whether every use of `value` accepts it with type `type`.
bool canRetype(Value value, MemRefType type) {
  if (value.getType() == type)
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  for (Operation *user : value.getUsers()) {
    if (isa<linalg::LinalgOp, memref::CopyOp, memref::LoadOp, memref::StoreOp>(user))
      continue;
    // A GEMM's matrices have unit stride along their rows.
    if (isa<GemmOp>(user) && strides.size() == 2 && strides.back() == 1)
      continue;
    if (isView(user)) {
      MemRefType result = viewTypeOn(user, type);
      if (result && canRetype(user->getResult(0), result))
        continue;
    }
    return false;
  }
  return true;
}

void retypeViews(Value value) {
  for (Operation *user : value.getUsers()) {
    if (!isView(user))
      continue;
    user->getResult(0).setType(viewTypeOn(user, cast<MemRefType>(value.getType())));
    retypeViews(user->getResult(0));
  }
}

/// `slot` seen in the shape of `root`, where `view` is root seen in the shape of the slot: the inverse
/// reshapes, created behind the slot. Null where the slot's strides do not allow one.
Value invertReshapes(Value view, Value root, Value slot, OpBuilder &builder) {
  if (view == root)
    return slot;
  Operation *op = view.getDefiningOp();
  auto slotType = cast<MemRefType>(slot.getType());
  auto sourceType = cast<MemRefType>(op->getOperand(0).getType());
  Value inverse;
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(op)) {
    auto groups = expand.getReassociationIndices();
    if (!memref::CollapseShapeOp::isGuaranteedCollapsible(slotType, groups))
      return {};
    inverse = memref::CollapseShapeOp::create(builder, slot.getLoc(), slot, groups);
  } else if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
    auto groups = collapse.getReassociationIndices();
    auto type = memref::ExpandShapeOp::computeExpandedType(slotType, sourceType.getShape(), groups);
    if (failed(type))
      return {};
    inverse = memref::ExpandShapeOp::create(builder, slot.getLoc(), *type, slot, groups);
  } else {
    return {};
  }
  Value result = invertReshapes(op->getOperand(0), root, inverse, builder);
  if (!result)
    inverse.getDefiningOp()->erase();
  return result;
}

/// Whether an op behind `copy` writes the memory of `root`.
bool isWrittenAfter(Value root, Operation *copy) {
  return llvm::any_of(usesOf(root, copy->getBlock()), [&](const BufferUse &use) {
    return copy->isBeforeInBlock(use.op) && !isa<func::ReturnOp>(use.user) && mayWrite(use.user, use.view);
  });
}

bool elide(memref::CopyOp copy) {
  auto slot = copy.getTarget().getDefiningOp<WindowSlotOp>();
  Value root = rootOrSlotOf(copy.getSource());
  auto alloc = root.getDefiningOp<memref::AllocOp>();
  if (!slot || !slot->hasOneUse() || !alloc || isWrittenAfter(root, copy))
    return false;

  // The window must exist before the buffer's first use.
  slot.getWindow().getDefiningOp()->moveBefore(alloc);
  slot->moveBefore(alloc);
  OpBuilder builder(alloc);
  Value replacement = invertReshapes(copy.getSource(), root, slot.getSlot(), builder);
  if (!replacement)
    return false;
  if (!canRetype(root, cast<MemRefType>(replacement.getType()))) {
    while (replacement != slot.getSlot()) {
      Operation *reshape = replacement.getDefiningOp();
      replacement = reshape->getOperand(0);
      reshape->erase();
    }
    return false;
  }
  copy.erase();
  root.replaceAllUsesWith(replacement);
  if (root.getType() != replacement.getType())
    retypeViews(replacement);
  alloc.erase();
  return true;
}

} // namespace

int64_t mlir::phantom::elideSlotCopies(func::FuncOp function) {
  SmallVector<memref::CopyOp> copies(function.getOps<memref::CopyOp>());
  int64_t elided = 0;
  for (memref::CopyOp copy : copies)
    elided += elide(copy);
  return elided;
}
