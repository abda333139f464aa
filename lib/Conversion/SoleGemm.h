//===- SoleGemm.h - GEMMs whose result has one user -------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_SOLEGEMM_H
#define PHANTOM_LIB_CONVERSION_SOLEGEMM_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

namespace mlir::phantom {

/// The GEMM whose product `value` is, through one reshape to an N-D activation; null if none.
GemmOp gemmOf(Value value);

/// The GEMM that makes `value`, through one reshape to an N-D activation; null where something else uses it,
/// too.
GemmOp soleGemm(Value value);

/// `product`, which stands for the result of `gemm`, in the shape of `value`: that result, or one reshape of
/// it.
Value reshapedLike(OpBuilder &builder, GemmOp gemm, Value value, Value product);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_SOLEGEMM_H
