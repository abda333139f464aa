//===- Normalize.h - One form for all models --------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_NORMALIZE_H
#define PHANTOM_LIB_TARGET_ONNX_NORMALIZE_H

#include "Model.h"

#include "mlir/IR/Location.h"
#include "mlir/Support/LogicalResult.h"

namespace phantom::onnx {

/// `model.onnx:0:0`; `model.onnx:4:0` named after the node, for the node of index 3.
mlir::Location modelLocation(const Model &model, mlir::MLIRContext &context);
mlir::Location nodeLocation(const Model &model, const Node &node, mlir::MLIRContext &context);

/// Emits one error that lists every node whose operator, or version of it, cannot be imported.
mlir::LogicalResult checkOperators(const Model &model, mlir::MLIRContext &context);

/// Afterwards: nodes are sorted topologically; each name has one definition, before its uses; constants are
/// initializers only (no Constant nodes); no Identity nodes; inputs are those without initializer. Graph
/// outputs keep their names and map to the values they are in `outputValues`.
mlir::LogicalResult normalize(Model &model, std::vector<std::string> &outputValues,
                              mlir::MLIRContext &context);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_NORMALIZE_H
