//===- Passes.h - Passes from models to step programs -----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_PASSES_H
#define PHANTOM_CONVERSION_PASSES_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Pass/Pass.h"

namespace mlir::phantom {

/// What `phantom-convert-precision` computes in.
enum class Precision { F32, F64, BF16 };

/// The library that computes GEMMs: it has the epilogues that `phantom-fuse-epilogues` may use.
enum class GemmLibrary { Cpu, CublasLt };

#define GEN_PASS_DECL
#include "phantom/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "phantom/Conversion/Passes.h.inc"

} // namespace mlir::phantom

#endif // PHANTOM_CONVERSION_PASSES_H
