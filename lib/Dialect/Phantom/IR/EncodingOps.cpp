//===- EncodingOps.cpp - Encoded blocks of exchanges -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::phantom;

/// Whether `encoded` is what `encoding` makes of `type`.
static LogicalResult verifyEncoded(Operation *op, WireEncoding encoding, RankedTensorType type,
                                   RankedTensorType encoded) {
  if (encoding == WireEncoding::F32)
    return op->emitOpError("has encoding f32, which is that of values as they are");
  if (RankedTensorType expected = encodedType(type, encoding); encoded != expected)
    return op->emitOpError("has ") << encoded << " for " << type << " in " << stringifyWireEncoding(encoding)
                                   << ", which is " << expected;
  return success();
}

RankedTensorType mlir::phantom::encodedType(RankedTensorType type, WireEncoding encoding) {
  SmallVector<int64_t> shape(type.getShape());
  Builder b(type.getContext());
  if (encoding == WireEncoding::BF16)
    return RankedTensorType::get(shape, b.getBF16Type());
  shape.back() += 4;
  return RankedTensorType::get(shape, b.getI8Type());
}

LogicalResult EncodeOp::verify() {
  if (isStochastic() ? getCounter().size() != 2 || !getSite() : getSite().has_value())
    return emitOpError("needs a key, a step and `site`, or none of them");
  if (getSite() && !llvm::isUInt<32>(*getSite()))
    return emitOpError("has `site` ") << *getSite() << ", which is no number of 32 bits";
  if (!getInput().getType().hasStaticShape())
    return emitOpError("needs a static shape");
  return verifyEncoded(*this, getEncoding(), getInput().getType(),
                       cast<RankedTensorType>(getEncoded().getType()));
}

LogicalResult DecodeOp::verify() {
  return verifyEncoded(*this, getEncoding(), getOutput().getType(),
                       cast<RankedTensorType>(getEncoded().getType()));
}
