//===- Verification.h - What several verifiers check ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_DIALECT_PHANTOM_IR_VERIFICATION_H
#define PHANTOM_LIB_DIALECT_PHANTOM_IR_VERIFICATION_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/STLExtras.h"

namespace mlir::phantom {

inline bool sameExtent(int64_t a, int64_t b) {
  return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b;
}

inline bool sameShape(ArrayRef<int64_t> a, ArrayRef<int64_t> b) {
  return a.size() == b.size() && llvm::all_of(llvm::zip(a, b), [](auto pair) {
           return sameExtent(std::get<0>(pair), std::get<1>(pair));
         });
}

inline RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// States are checked only where some operand or result has one: below the
/// partitioned level they are stripped.
inline bool hasAnyState(Operation *op) {
  auto stateful = [](Type type) { return static_cast<bool>(getState(type)); };
  return llvm::any_of(op->getOperandTypes(), stateful) || llvm::any_of(op->getResultTypes(), stateful);
}

inline LogicalResult verifySameElementType(Operation *op) {
  Type element;
  for (Type type : llvm::concat<const Type>(llvm::to_vector(op->getOperandTypes()),
                                            llvm::to_vector(op->getResultTypes()))) {
    Type own = getElementTypeOrSelf(type);
    if (!isa<FloatType>(own))
      continue;
    if (element && own != element)
      return op->emitOpError("mixes element types ") << element << " and " << own;
    element = own;
  }
  return success();
}

inline LogicalResult verifyDimension(Operation *op, int64_t dim, RankedTensorType type) {
  if (dim < 0 || dim >= type.getRank())
    return op->emitOpError("has dimension ") << dim << ", but the operand has rank " << type.getRank();
  return success();
}

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_PHANTOM_IR_VERIFICATION_H
