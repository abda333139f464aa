//===- Passes.h - Passes on models and their partitions ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DIALECT_PHANTOM_TRANSFORMS_PASSES_H
#define PHANTOM_DIALECT_PHANTOM_TRANSFORMS_PASSES_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Pass/Pass.h"

namespace mlir::phantom {

/// How `phantom-partition` divides layers.
enum class Strategy { Phantom, Tensor, Megatron };
/// What it makes of the layer with a replicated input, and of the layer that makes the output.
enum class FirstLayer { Dense, Phantom };
enum class LastLayer { Reduce, Phantom };
/// First values of the parameters.
enum class InitStart { FromDense, Random };

#define GEN_PASS_DECL
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"

} // namespace mlir::phantom

#endif // PHANTOM_DIALECT_PHANTOM_TRANSFORMS_PASSES_H
