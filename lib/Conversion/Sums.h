//===- Sums.h - What a linalg op adds up ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_SUMS_H
#define PHANTOM_LIB_CONVERSION_SUMS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::phantom {

/// Whether the result is a sum (a maximum, ...) over all reduced loops of `op`: no element depends on them.
bool isSum(linalg::LinalgOp op, OpOperand &init);

/// Whether each iteration makes an element of its own of the result.
bool isMap(linalg::LinalgOp op, OpOperand &init);

/// What adds a term to the sum; null where the sum cannot be made in parts.
Operation *combinerOf(linalg::LinalgOp op, OpOperand &init);

/// Whether neighbouring iterations of the reduced loops read neighbouring elements of the largest operand.
bool readsAlongSums(linalg::LinalgOp op);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_SUMS_H
