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

/// The name of the layer whose weight is `weight`: "fc1" of "fc1.weight".
StringRef getLayerName(StringRef weight);

/// The name of a part of a packed layer's parameter: "w12.part1.weight" of "w12.weight". `role`, "weight" or
/// "bias", is used where the name has no dot.
std::string getPartName(StringRef parameter, int64_t part, StringRef role);

/// A part of a packed layer, by its name.
struct LayerPart {
  StringRef layer; ///< the packed one
  int64_t number;
};

/// "w12" and 1 of "w12.part1"; nothing for a name that is not that of a part.
std::optional<LayerPart> getLayerPart(StringRef layer);

} // namespace mlir::phantom

#endif // PHANTOM_DIALECT_PHANTOM_TRANSFORMS_FORWARDFUNCTION_H
