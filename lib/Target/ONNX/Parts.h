//===- Parts.h - Shapes and parts that nodes name ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What operators that move elements say in their attributes and constant inputs, for values in the IR and for
// tensors that are known at import.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_PARTS_H
#define PHANTOM_LIB_TARGET_ONNX_PARTS_H

#include "NodeImporter.h"

namespace phantom::onnx {

using Shape = llvm::SmallVector<int64_t>;

/// Result index i is operand index offset + i·stride.
struct SlicePart {
  Shape offsets, strides, sizes;
};

/// The axes of an operator that had them as an attribute before opset `asInput`, and has them as input 1
/// since; nothing where they are absent.
FailureOr<std::optional<Shape>> axesOf(NodeImporter &node, int64_t asInput);

FailureOr<SlicePart> slicePart(NodeImporter &node, llvm::ArrayRef<int64_t> shape);
FailureOr<int64_t> gatherAxis(NodeImporter &node, int64_t rank);
Shape gatheredShape(llvm::ArrayRef<int64_t> data, llvm::ArrayRef<int64_t> indices, int64_t axis);
FailureOr<int64_t> concatAxis(NodeImporter &node, int64_t rank);
FailureOr<Shape> squeezedShape(NodeImporter &node, llvm::ArrayRef<int64_t> shape);
FailureOr<Shape> unsqueezedShape(NodeImporter &node, llvm::ArrayRef<int64_t> shape);
/// What Reshape makes of `shape`, whose dynamic extent is `rowsPerBatch` times the batch.
FailureOr<Shape> reshapedShape(NodeImporter &node, llvm::ArrayRef<int64_t> shape, int64_t rowsPerBatch);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_PARTS_H
