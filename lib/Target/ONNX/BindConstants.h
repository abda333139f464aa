//===- BindConstants.h - Inputs with a given value --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_BINDCONSTANTS_H
#define PHANTOM_LIB_TARGET_ONNX_BINDCONSTANTS_H

#include "Model.h"

#include "phantom/Target/ONNX/Import.h"

namespace phantom::onnx {

/// Turns the inputs that `options.constants` names into constants with the values of their files.
mlir::LogicalResult bindConstants(Model &model, const ImportOptions &options, mlir::MLIRContext &context);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_BINDCONSTANTS_H
