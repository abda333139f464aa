//===- ScatterAdd.h - Sums at indexed places, as loops ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_SCATTERADD_H
#define PHANTOM_LIB_CONVERSION_SCATTERADD_H

#include "mlir/IR/MLIRContext.h"

namespace mlir::phantom {

/// Makes `phantom.gather_gradient` bufferizable: to a fill and one nest of `scf.for`.
void attachScatterAddModel(MLIRContext &context);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_SCATTERADD_H
