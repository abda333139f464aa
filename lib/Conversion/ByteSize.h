//===- ByteSize.h - Memory that a tensor or buffer takes --------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_BYTESIZE_H
#define PHANTOM_LIB_CONVERSION_BYTESIZE_H

#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::phantom {

/// Bytes of all elements of a type with a static shape.
inline int64_t byteSize(ShapedType type) {
  return type.getNumElements() * static_cast<int64_t>(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_BYTESIZE_H
