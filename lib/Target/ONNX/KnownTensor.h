//===- KnownTensor.h - Integers known at import -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_KNOWNTENSOR_H
#define PHANTOM_LIB_TARGET_ONNX_KNOWNTENSOR_H

#include "Model.h"

namespace phantom::onnx {

/// constant + perBatch·B, where B is the model's dynamic batch: an element of a shape, or what a model
/// computes from one.
struct Extent {
  int64_t constant = 0, perBatch = 0;

  bool isConstant() const { return perBatch == 0; }
  bool operator==(const Extent &) const = default;
};

/// A small tensor of integers or booleans whose elements follow from constants and shapes.
struct KnownTensor {
  /// More elements than shapes, axes and masks of indices have are left to the program.
  static constexpr int64_t kMostElements = 4096;

  int32_t type = 0;
  std::vector<int64_t> dims;
  std::vector<Extent> elements;

  bool isConstant() const {
    return std::all_of(elements.begin(), elements.end(), [](const Extent &e) { return e.isConstant(); });
  }
};

/// The tensor's elements, if it is one of that kind.
std::optional<KnownTensor> toKnown(const Tensor &tensor);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_KNOWNTENSOR_H
