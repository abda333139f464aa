//===- Threads.h - Work of a kernel, divided over threads -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_THREADS_H
#define PHANTOM_LIB_CONVERSION_THREADS_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::phantom {

/// Blocks of a grid, and threads of a block; both of one dimension.
struct Grid {
  int64_t blocks = 1, threads = 1;
};

/// Blocks enough to give each element a thread, as far as more blocks make sense.
Grid gridFor(int64_t elements);

/// The elements of this thread, of `count`: a whole grid apart.
void forEachElement(ImplicitLocOpBuilder &b, int64_t count,
                    llvm::function_ref<void(ImplicitLocOpBuilder &, Value)> body);

/// The indices into extents that a flat index stands for, row-major.
SmallVector<Value> delinearize(ImplicitLocOpBuilder &b, Value index, ArrayRef<int64_t> extents);

/// A loop over 0 to `count`.
Value constantIndex(ImplicitLocOpBuilder &b, int64_t value);

/// What each element of a buffer is before the op.
using Fills = llvm::DenseMap<Value, Value>;

/// Emits the work of one thread of `op` at the end of the kernel. `mapping` has the kernel's values for the
/// op's operands and what they are filled with. A sum of at least `blockReduction` elements may be added by a
/// block. Emits an error for what is not parallel.
FailureOr<Grid> divideStructured(linalg::LinalgOp op, gpu::GPUFuncOp kernel, const IRMapping &mapping,
                                 const Fills &fills, int64_t blockReduction);

/// As `divideStructured`, of a nest of loops with constant bounds. Loops of which each iteration writes other
/// elements than all others are divided.
Grid divideLoops(scf::ForOp nest, gpu::GPUFuncOp kernel, const IRMapping &mapping);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_THREADS_H
