//===- ExposeActivations.h - Makes the inputs of layers a function's results ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DIALECT_PHANTOM_TRANSFORMS_EXPOSEACTIVATIONS_H
#define PHANTOM_DIALECT_PHANTOM_TRANSFORMS_EXPOSEACTIVATIONS_H

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"

#include <string>
#include <vector>

namespace mlir::phantom {

/// A linear layer, by the name that phantom-partition gives it.
struct ExposedLayer {
  std::string name;
  std::vector<std::string> outputs; ///< the results that are its inputs, one per use
  std::string bias;                 ///< the parameter that is added by this layer only; empty: there is none
};

/// Makes the inputs of the layers the only results of the dense `forward`, each value once. A result has the
/// name of the first layer that takes it, from that layer's second use on with "#2" and so on. A name that is
/// not that of one layer is an error.
FailureOr<std::vector<ExposedLayer>> exposeActivations(func::FuncOp forward, ArrayRef<std::string> layers);

} // namespace mlir::phantom

#endif // PHANTOM_DIALECT_PHANTOM_TRANSFORMS_EXPOSEACTIVATIONS_H
