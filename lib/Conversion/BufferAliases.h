//===- BufferAliases.h - Which memory a buffer value refers to -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_BUFFERALIASES_H
#define PHANTOM_LIB_CONVERSION_BUFFERALIASES_H

#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::phantom {

/// The allocation, argument, global or window that `buffer` is a view of, slots included.
Value rootOf(Value buffer);

/// As `rootOf`, but a window's slot is its own root.
Value rootOrSlotOf(Value buffer);

/// `root` and all views of it (slots of a window too where `withSlots`), in no particular order.
SmallVector<Value> viewsOf(Value root, bool withSlots);

/// Whether the op only gives another view of its first operand.
bool isView(Operation *op);

/// Whether `op` may write `buffer`, one of its operands.
bool mayWrite(Operation *op, Value buffer);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_BUFFERALIASES_H
