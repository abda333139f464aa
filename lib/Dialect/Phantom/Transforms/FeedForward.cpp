//===- FeedForward.cpp - Feed-forward blocks in larger models -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FeedForward.h"

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::phantom;

/// Whether the value does not depend on the model's input.
static bool isFixed(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (op->hasTrait<OpTrait::ConstantLike>())
      return true;
    if (!isa<BroadcastOp, ReshapeOp, TransposeOp>(op))
      return false;
    value = op->getOperand(0);
  }
  return static_cast<bool>(getParameter(value));
}

/// Whether activations are multiplied with each other.
static bool isAttention(Operation *op) {
  auto product = dyn_cast<MatmulOp>(op);
  return product && !isFixed(product.getLhs()) && !isFixed(product.getRhs());
}

bool phantom::hasAttention(func::FuncOp function) {
  return llvm::any_of(function.getOps<MatmulOp>(), [](MatmulOp op) { return isAttention(op); });
}

/// Layers whose output is multiplied with an activation before it reaches another layer: queries, keys,
/// values.
static llvm::DenseSet<Operation *> findAttentionLayers(func::FuncOp function) {
  llvm::DenseSet<Operation *> reaches, layers;
  for (Operation &op : llvm::reverse(function.getBody().front())) {
    bool used = llvm::any_of(op.getUsers(), [&](Operation *user) {
      return isAttention(user) || (reaches.contains(user) && !isa<LinearOp>(user));
    });
    if (used)
      reaches.insert(&op);
    if (used && isa<LinearOp>(op))
      layers.insert(&op);
  }
  return layers;
}

namespace {

/// What lies between a layer and those before it.
struct Path {
  llvm::SetVector<Operation *> layers; ///< that it starts at
  bool activated = false;              ///< something in it is not linear
};

/// Whether the op belongs between the layers of a block, and, in `path`, what it adds.
bool extendPath(Operation *op, Path &path) {
  if (isa<ActivationOp>(op)) {
    path.activated = true;
    return true;
  }
  // An unknown activation is elementwise, of one value; a gate multiplies two. A sum of two is a residual.
  int64_t varying = llvm::count_if(op->getOperands(), [](Value operand) { return !isFixed(operand); });
  if (isa<DropoutOp, ReshapeOp, NormalizeOp, SliceOp>(op))
    return true;
  if (!op->hasTrait<OpTrait::Elementwise>())
    return false;
  bool affine = isa<arith::AddFOp, arith::SubFOp, arith::NegFOp>(op) ||
                (isa<arith::MulFOp, arith::DivFOp>(op) && varying == 1);
  path.activated |= !affine;
  return !isa<arith::AddFOp, arith::SubFOp>(op) || varying == 1 || op->getOperand(0) == op->getOperand(1);
}

/// Backwards from `value` to layers; nullopt where it also comes from elsewhere.
std::optional<Path> findPath(Value value) {
  Path path;
  llvm::SetVector<Value> waiting;
  waiting.insert(value);
  for (size_t next = 0; next < waiting.size(); ++next) {
    Operation *op = waiting[next].getDefiningOp();
    if (!op)
      return std::nullopt;
    if (isa<LinearOp>(op)) {
      path.layers.insert(op);
      continue;
    }
    if (!extendPath(op, path))
      return std::nullopt;
    for (Value operand : op->getOperands())
      if (!isFixed(operand))
        waiting.insert(operand);
  }
  return path;
}

} // namespace

llvm::DenseSet<Operation *> phantom::findFeedForwardLayers(func::FuncOp function) {
  llvm::DenseSet<Operation *> attention = findAttentionLayers(function), found;
  for (auto down : function.getOps<LinearOp>()) {
    if (attention.contains(down))
      continue;
    std::optional<Path> path = findPath(down.getInput());
    auto attends = [&](Operation *layer) { return attention.contains(layer); };
    if (!path || !path->activated || path->layers.empty() || llvm::any_of(path->layers, attends))
      continue;
    found.insert(down);
    found.insert(path->layers.begin(), path->layers.end());
  }
  return found;
}
