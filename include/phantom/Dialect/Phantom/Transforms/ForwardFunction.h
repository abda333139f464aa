//===- ForwardFunction.h - The model's forward function ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DIALECT_PHANTOM_TRANSFORMS_FORWARDFUNCTION_H
#define PHANTOM_DIALECT_PHANTOM_TRANSFORMS_FORWARDFUNCTION_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {

/// Name of the function that computes the model's outputs.
inline constexpr llvm::StringLiteral kForward = "forward";

/// The module's `@forward`, one block of static shapes. Emits an error where there is none, or a type is
/// dynamic.
FailureOr<func::FuncOp> getForwardFunction(ModuleOp module);

/// The declaration of the parameter that `value`, a function argument, carries; null for other values.
ParameterOp getParameter(Value value);

} // namespace mlir::phantom

#endif // PHANTOM_DIALECT_PHANTOM_TRANSFORMS_FORWARDFUNCTION_H
