//===- ExternalData.h - Weights beside the model ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_EXTERNALDATA_H
#define PHANTOM_LIB_TARGET_ONNX_EXTERNALDATA_H

#include "Model.h"

namespace phantom::onnx {

/// A range of a file, within it.
struct FileRange {
  std::string file; ///< canonical path
  uint64_t offset = 0, length = 0;
};

/// Finds the external bytes of `tensor`. The location is relative to the model's folder (or to `dataDir`,
/// where it is not there), and after resolving symbolic links it must be in one of the two: a model from
/// elsewhere may not read the user's other files.
llvm::Expected<FileRange> resolveExternalData(const Tensor &tensor, llvm::StringRef modelPath,
                                              llvm::StringRef dataDir);

/// The path of `file` as seen from the folder `base` (empty: the current one).
std::string relativePath(llvm::StringRef file, llvm::StringRef base);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_EXTERNALDATA_H
