//===- CastOperators.cpp - Element types ---------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::NarrowFloat;
using mlir::phantom::NarrowFloatAttr;

namespace phantom::onnx {

/// The type that the second input of CastLike has.
static FailureOr<int64_t> typeOfLike(NodeImporter &node) {
  if (int32_t type = node.declaredType(1))
    return type;
  FailureOr<Value> like = node.anyOperand(1);
  if (mlir::failed(like))
    return failure();
  Type element = elementOf(*like);
  bool isUnsigned = node.isUnsigned(*like);
  if (isa<FloatType>(element))
    return static_cast<int64_t>(element.isF64() ? DataType::Double : DataType::Float);
  switch (element.getIntOrFloatBitWidth()) {
  case 1:
    return static_cast<int64_t>(DataType::Bool);
  case 8:
    return static_cast<int64_t>(isUnsigned ? DataType::Uint8 : DataType::Int8);
  case 16:
    return static_cast<int64_t>(isUnsigned ? DataType::Uint16 : DataType::Int16);
  case 32:
    return static_cast<int64_t>(isUnsigned ? DataType::Uint32 : DataType::Int32);
  default:
    return static_cast<int64_t>(isUnsigned ? DataType::Uint64 : DataType::Int64);
  }
}

/// The type names that Cast had before opset 6.
static FailureOr<int64_t> oldTypeName(NodeImporter &node) {
  FailureOr<std::string> name = node.stringAttribute("to", "");
  if (mlir::failed(name))
    return failure();
  for (int32_t type = 1; type <= static_cast<int32_t>(DataType::BFloat16); ++type)
    if (StringRef(dataTypeName(type)).equals_insensitive(*name))
      return type;
  return node.error() << "casts to " << quoteName(*name) << ", which is not supported";
}

void ignoreCastModes(NodeImporter &node) {
  if (node.opset() >= 19)
    node.ignoreAttribute("saturate");
  if (node.opset() >= 24)
    node.ignoreAttribute("round_mode");
}

LogicalResult importCast(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<int64_t> to = failure();
  if (node.opType() == "CastLike")
    to = typeOfLike(node);
  else
    to = node.opset() < 6 ? oldTypeName(node) : node.intAttribute("to", 0);
  ignoreCastModes(node);
  if (mlir::failed(x) || mlir::failed(to))
    return failure();
  FailureOr<Type> element = node.elementTypeOf(*to);
  if (mlir::failed(element))
    return failure();
  NarrowFloatAttr rounded;
  MLIRContext *context = node.builder.getContext();
  if (*to == static_cast<int64_t>(DataType::Float16))
    rounded = NarrowFloatAttr::get(context, NarrowFloat::F16);
  if (*to == static_cast<int64_t>(DataType::BFloat16))
    rounded = NarrowFloatAttr::get(context, NarrowFloat::BF16);
  // What was read from a stored type is of that type already.
  if (node.declaredType(0) == *to)
    rounded = {};
  auto type = cast<RankedTensorType>(x->getType()).clone(*element);
  bool isUnsigned = isUnsignedType(static_cast<int32_t>(*to));
  Value y = *x;
  // Of the same type, it may be the same bits, read otherwise.
  if (type != x->getType() || rounded || node.isUnsigned(*x) != isUnsigned)
    y = mlir::phantom::CastOp::create(node.builder, node.location, type, *x, rounded, node.isUnsigned(*x),
                                      isUnsigned);
  return node.setOutput(0, y, isUnsigned);
}

} // namespace phantom::onnx
