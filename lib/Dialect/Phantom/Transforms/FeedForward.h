//===- FeedForward.h - Feed-forward blocks in larger models -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_FEEDFORWARD_H
#define PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_FEEDFORWARD_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"

namespace mlir::phantom {

/// Whether the model multiplies activations with each other.
bool hasAttention(func::FuncOp function);

/// The linear layers of blocks linear → activation → linear, plain or gated, that no attention uses.
llvm::DenseSet<Operation *> findFeedForwardLayers(func::FuncOp function);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_FEEDFORWARD_H
