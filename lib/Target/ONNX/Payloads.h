//===- Payloads.h - Where tensors' bytes are in a model file ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_PAYLOADS_H
#define PHANTOM_LIB_TARGET_ONNX_PAYLOADS_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace phantom::onnx {

/// A range of the file.
struct Payload {
  uint64_t offset = 0, length = 0;
};

/// Ranges of one tensor's `raw_data`, packed `float_data` and packed `double_data`.
struct TensorPayloads {
  std::optional<Payload> raw, floats, doubles;
};

/// Ranges of all tensors, in the order of the file's messages.
struct ModelPayloads {
  std::vector<TensorPayloads> initializers;
  std::vector<std::vector<TensorPayloads>> nodes; ///< one entry per attribute of a node
};

/// Walks the wire format of a ModelProto. Parsing copies the bytes and forgets where they were; weights that
/// stay where they are need the place.
ModelPayloads findPayloads(llvm::StringRef file);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_PAYLOADS_H
