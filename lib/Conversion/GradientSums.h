//===- GradientSums.h - Sums of gradients that outlive a run ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_GRADIENTSUMS_H
#define PHANTOM_LIB_CONVERSION_GRADIENTSUMS_H

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::phantom {

/// A sum that a function takes, adds to, and returns in its place.
struct GradientSum {
  BlockArgument sum;
  Value term;
};

/// What `op` adds, if its result is only returned, as the new value of the parameter that it adds to.
FailureOr<GradientSum> matchGradientSum(arith::AddFOp op);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_GRADIENTSUMS_H
