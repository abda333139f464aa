//===- BufferAliases.h - Which memory a buffer value refers to -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_BUFFERALIASES_H
#define PHANTOM_LIB_CONVERSION_BUFFERALIASES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::phantom {

/// The module's functions with a body. Emits an error where one has several blocks: step programs are
/// straight lines.
FailureOr<SmallVector<func::FuncOp>> straightLineFunctions(ModuleOp module);

/// The allocation, argument, global or window that `buffer` is a view of, slots included.
Value rootOf(Value buffer);

/// As `rootOf`, but a window's slot is its own root.
Value rootOrSlotOf(Value buffer);

/// A use of a buffer that is no view of it.
struct BufferUse {
  Operation *op;   ///< in the given block: the user, or the op around it
  Operation *user; ///< the user itself
  Value view;      ///< through which it uses the buffer
};

/// The uses of `root` and of its views (not of slots of a window), in no particular order.
SmallVector<BufferUse> usesOf(Value root, Block *block);

/// Whether the op only gives another view of its first operand.
bool isView(Operation *op);

/// Whether `op` may write `buffer`, one of its operands.
bool mayWrite(Operation *op, Value buffer);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_BUFFERALIASES_H
