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

#include "phantom/Target/ONNX/Import.h"

#include "mlir/IR/Location.h"
#include "mlir/Support/LogicalResult.h"

namespace phantom::onnx {

/// `model.onnx:0:0`; `model.onnx:4:0` named after the node, for the node of index 3.
mlir::Location modelLocation(const Model &model, mlir::MLIRContext &context);
mlir::Location nodeLocation(const Model &model, const Node &node, mlir::MLIRContext &context);

/// Emits one error that lists every node whose operator, or version of it, cannot be imported.
mlir::LogicalResult checkOperators(const Model &model, mlir::MLIRContext &context);

/// Replaces calls of the model's own functions by the functions' nodes, those of nested calls included.
mlir::LogicalResult inlineFunctions(Model &model, mlir::MLIRContext &context);

/// Afterwards: nodes are sorted topologically; each name has one definition, before its uses; constants are
/// initializers only (no Constant nodes); no Identity nodes; inputs are those without initializer. Graph
/// outputs keep their names and map to the values they are in `outputValues`. An Identity of an initializer
/// is an initializer of its own, unless `mode` keeps them one.
mlir::LogicalResult normalize(Model &model, std::vector<std::string> &outputValues, SharedParameterMode mode,
                              mlir::MLIRContext &context);

/// Gives the modules that use an initializer one each where `mode` says so, and reports those that stay one.
void separateSharedParameters(Model &model, SharedParameterMode mode, mlir::MLIRContext &context);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_NORMALIZE_H
