//===- StreamOrder.h - What may run beside a collective ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_STREAMORDER_H
#define PHANTOM_LIB_CONVERSION_STREAMORDER_H

#include "mlir/IR/Block.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::phantom {

/// All compute commands before `begin` have run when the collective does; it has run when a compute command
/// behind `end` does. Of a function that never waits for it, `end` is the terminator.
struct CollectiveSpan {
  Operation *begin, *end;
};

/// The span of each collective of the block that is not on the compute stream.
llvm::DenseMap<Operation *, CollectiveSpan> collectiveSpans(Block &block);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_STREAMORDER_H
