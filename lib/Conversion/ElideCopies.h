//===- ElideCopies.h - Producers that write into window slots -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_ELIDECOPIES_H
#define PHANTOM_LIB_CONVERSION_ELIDECOPIES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {

/// Replaces buffers that are copied into a window's slot by the slot itself where nothing writes them after
/// the copy. Returns the number of copies removed.
int64_t elideSlotCopies(func::FuncOp function);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_ELIDECOPIES_H
