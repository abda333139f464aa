//===- KernelLowering.h - What kernels for CPUs and GPUs share --*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_KERNELLOWERING_H
#define PHANTOM_CONVERSION_KERNELLOWERING_H

#include "mlir/Pass/PassManager.h"

namespace mlir::phantom {

/// Turns functions of f32 into polynomials, which LLVM vectorises, and conversions of bf16 into integer
/// arithmetic: not every CPU has them. Functions of f64 are left to a library.
LogicalResult expandArithmetic(Operation *kernels);

/// Adds passes from loops on buffers to the LLVM dialect. Functions take bare pointers, and call the C
/// library.
void addLoopsToLLVMPasses(OpPassManager &pm);

} // namespace mlir::phantom

#endif // PHANTOM_CONVERSION_KERNELLOWERING_H
