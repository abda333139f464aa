//===- KnownTensor.cpp - Integers known at import -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KnownTensor.h"

#include <cstring>

namespace phantom::onnx {

template <typename T> static void append(KnownTensor &known, const Tensor &tensor) {
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    T value;
    std::memcpy(&value, tensor.bytes.data() + i * sizeof(T), sizeof(T));
    known.elements.push_back({static_cast<int64_t>(value), 0});
  }
}

std::optional<KnownTensor> toKnown(const Tensor &tensor) {
  if (tensor.external || tensor.elements() > KnownTensor::kMostElements)
    return std::nullopt;
  KnownTensor known{tensor.type, tensor.dims, {}};
  switch (static_cast<DataType>(tensor.type)) {
  case DataType::Int64:
    append<int64_t>(known, tensor);
    return known;
  case DataType::Int32:
    append<int32_t>(known, tensor);
    return known;
  case DataType::Bool:
    append<uint8_t>(known, tensor);
    return known;
  default:
    return std::nullopt;
  }
}

} // namespace phantom::onnx
