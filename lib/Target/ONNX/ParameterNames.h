//===- ParameterNames.h - Names for parameters ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_PARAMETERNAMES_H
#define PHANTOM_LIB_TARGET_ONNX_PARAMETERNAMES_H

#include "Model.h"

namespace phantom::onnx {

/// Whether an exporter made up the name (`onnx::MatMul_12`, `val_0`, `/fc1/Constant_output_0`).
bool isAnonymous(llvm::StringRef name);

/// What input `input` of `user` is called where the exporter lost its name: the module that the node is in
/// and the input's part in it, e.g. `fc1.weight` for input 1 of `/fc1/MatMul`.
std::string recoverName(const Node &user, unsigned input);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_PARAMETERNAMES_H
