//===- WriteModel.h - Writes a model file through protobuf -------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_WRITEMODEL_H
#define PHANTOM_LIB_TARGET_ONNX_WRITEMODEL_H

#include "Model.h"

#include "llvm/Support/raw_ostream.h"

#include <functional>

namespace phantom::onnx {

/// Appends the little-endian elements of an initializer that is neither external nor has `bytes`.
using FillTensor = std::function<llvm::Error(const Tensor &tensor, llvm::raw_ostream &bytes)>;

/// Writes the model's message. Of each tensor there is one copy in memory at most, besides what `fill` has.
llvm::Error writeModel(const Model &model, llvm::StringRef graphName, const FillTensor &fill,
                       llvm::raw_ostream &out);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_WRITEMODEL_H
