//===- Types.cpp - Types, locations and parameters of step programs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builders.h"

#include "mlir/IR/Location.h"

using namespace mlir;
using namespace mlir::phantom;

FailureOr<rt::ElementType> mlir::phantom::toElementType(Operation *op, Type type) {
  if (type.isF32())
    return rt::ElementType::F32;
  if (type.isF64())
    return rt::ElementType::F64;
  if (type.isSignlessInteger(8))
    return rt::ElementType::I8;
  if (type.isSignlessInteger(16))
    return rt::ElementType::I16;
  if (type.isSignlessInteger(32))
    return rt::ElementType::I32;
  if (type.isSignlessInteger(64))
    return rt::ElementType::I64;
  if (type.isSignlessInteger(1))
    return rt::ElementType::Bool;
  if (type.isBF16())
    return rt::ElementType::BF16;
  op->emitOpError("has element type ") << type << ", which step programs do not know";
  return failure();
}

rt::ElementType mlir::phantom::toUnsigned(rt::ElementType type) {
  switch (type) {
  case rt::ElementType::I8:
    return rt::ElementType::U8;
  case rt::ElementType::I16:
    return rt::ElementType::U16;
  case rt::ElementType::I32:
    return rt::ElementType::U32;
  case rt::ElementType::I64:
    return rt::ElementType::U64;
  default:
    return type;
  }
}

FailureOr<rt::TensorType> mlir::phantom::toTensorType(Operation *op, ShapedType type) {
  FailureOr<rt::ElementType> element = toElementType(op, type.getElementType());
  if (failed(element))
    return failure();
  if (*element == rt::ElementType::BF16) {
    op->emitOpError(
        "has an argument, result or parameter of bf16, which is a type of buffers between commands only");
    return failure();
  }
  return rt::TensorType{*element, std::vector<int64_t>(type.getShape().begin(), type.getShape().end())};
}

int64_t mlir::phantom::elementsOf(const rt::TensorType &type) {
  int64_t product = 1;
  for (int64_t extent : type.shape)
    product *= extent;
  return product;
}

int64_t mlir::phantom::elementBytes(Type type) { return (type.getIntOrFloatBitWidth() + 7) / 8; }

std::string mlir::phantom::toLocationString(Location location) {
  std::string text;
  location->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part)) {
      text = name.getName().str();
      return WalkResult::interrupt();
    }
    if (auto file = dyn_cast<FileLineColLoc>(part); file && text.empty())
      text =
          (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" + Twine(file.getColumn())).str();
    return WalkResult::advance();
  });
  return text;
}

void mlir::phantom::append(rt::Function &function, rt::Command command) {
  function.commands.push_back(std::move(command));
}

static rt::InitKind toInitKind(InitKind kind) {
  switch (kind) {
  case InitKind::Load:
    return rt::InitKind::Load;
  case InitKind::DiagonalBlock:
    return rt::InitKind::DiagonalBlock;
  case InitKind::LowRankCompressor:
    return rt::InitKind::LowRankCompressor;
  case InitKind::LowRankDecompressor:
    return rt::InitKind::LowRankDecompressor;
  case InitKind::Uniform:
    return rt::InitKind::Uniform;
  case InitKind::Zeros:
    return rt::InitKind::Zeros;
  }
  llvm_unreachable("unknown init");
}

static FailureOr<rt::Init> toInit(ParameterOp op) {
  InitAttr attribute = op.getInit();
  rt::Init init;
  init.kind = toInitKind(attribute.getKind());
  init.transposed = attribute.getTransposed();
  init.ghostWidth = attribute.getGhostWidth();
  init.fanIn = attribute.getFanIn();
  init.zeroOwnBlock = attribute.getZeroOwn();
  if (SourceAttr source = attribute.getSource()) {
    FailureOr<rt::TensorType> type = toTensorType(op, source.getType());
    if (failed(type))
      return failure();
    init.source = rt::Source{source.getFile().str(),
                             source.getTensor().str(),
                             source.getOffset(),
                             source.getLength(),
                             *type,
                             std::nullopt};
    if (ArrayRef<int64_t> part = source.getPart(); !part.empty())
      init.source->part = rt::TensorPart{part[0], part[1], part[2]};
  }
  return init;
}

FailureOr<rt::Parameter> mlir::phantom::toParameter(ParameterOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  FailureOr<rt::TensorType> held = toTensorType(op, type);
  FailureOr<rt::Init> init = toInit(op);
  if (failed(held) || failed(init))
    return failure();
  rt::Parameter parameter;
  parameter.name = op.getSymName().str();
  parameter.type = *held;
  parameter.storedShape = held->shape;
  parameter.init = *init;
  parameter.trainable = op.getTrainable();
  if (auto stateOf = op.getStateOf())
    parameter.stateOf = stateOf->str();
  if (LayoutAttr layout = op.getLayoutAttr()) {
    if (!layout.getStored().empty())
      parameter.storedShape.assign(layout.getStored().begin(), layout.getStored().end());
    parameter.shardDim = layout.getDim();
    parameter.layout = layout.getKind() == LayoutKind::Shard     ? rt::Layout::Shard
                       : layout.getKind() == LayoutKind::Stacked ? rt::Layout::Stacked
                                                                 : rt::Layout::Replicated;
  }
  return parameter;
}
