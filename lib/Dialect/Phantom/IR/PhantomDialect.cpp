//===- PhantomDialect.cpp - Dialect, attributes and states ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::phantom;

#include "phantom/Dialect/Phantom/IR/PhantomDialect.cpp.inc"
#include "phantom/Dialect/Phantom/IR/PhantomEnums.cpp.inc"
#include "phantom/Dialect/Phantom/IR/PhantomInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomTypes.cpp.inc"

void PhantomDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "phantom/Dialect/Phantom/IR/PhantomAttrs.cpp.inc"
      >();
}

namespace {
/// Prints states as #shard0, #block, #partial and #per_rank.
struct PhantomAsmInterface : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Attribute attribute, raw_ostream &os) const override {
    auto state = dyn_cast<StateAttr>(attribute);
    if (!state)
      return AliasResult::NoAlias;
    os << stringifyStateKind(state.getKind());
    if (state.getKind() == StateKind::Shard)
      os << state.getDim();
    return AliasResult::FinalAlias;
  }
};
} // namespace

void PhantomDialect::initialize() {
  addInterfaces<PhantomAsmInterface>();
  registerAttributes();
  addTypes<
#define GET_TYPEDEF_LIST
#include "phantom/Dialect/Phantom/IR/PhantomTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "phantom/Dialect/Phantom/IR/PhantomOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

Attribute StateAttr::parse(AsmParser &parser, Type) {
  std::string axis;
  if (parser.parseLess() || parser.parseString(&axis) || parser.parseEqual())
    return {};
  FailureOr<StateKind> kind = FieldParser<StateKind>::parse(parser);
  if (failed(kind))
    return {};
  int64_t dim = 0;
  if (*kind == StateKind::Shard && (parser.parseLParen() || parser.parseInteger(dim) || parser.parseRParen()))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<StateAttr>(parser.getContext(), axis, *kind, dim);
}

void StateAttr::print(AsmPrinter &printer) const {
  printer << "<\"" << getAxis() << "\" = " << stringifyStateKind(getKind());
  if (getKind() == StateKind::Shard)
    printer << "(" << getDim() << ")";
  printer << ">";
}

LogicalResult StateAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef axis, StateKind kind,
                                int64_t dim) {
  if (axis.empty())
    return emitError() << "state needs a mesh axis";
  if (dim < 0)
    return emitError() << "sharded dimension " << dim << " is negative";
  return success();
}

LogicalResult StateAttr::verifyEncoding(ArrayRef<int64_t> shape, Type elementType,
                                        function_ref<InFlightDiagnostic()> emitError) const {
  if (getKind() == StateKind::Shard && getDim() >= static_cast<int64_t>(shape.size()))
    return emitError() << "sharded dimension " << getDim() << " does not exist in a tensor of rank "
                       << shape.size();
  return success();
}

StateAttr mlir::phantom::getState(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<StateAttr>(tensor.getEncoding()) : StateAttr();
}

std::optional<int64_t> mlir::phantom::getShardDim(Type type) {
  StateAttr state = getState(type);
  if (!state || state.getKind() != StateKind::Shard)
    return std::nullopt;
  return state.getDim();
}

bool mlir::phantom::isReplicated(Type type) { return !getState(type); }

bool mlir::phantom::hasStateKind(Type type, StateKind kind) {
  StateAttr state = getState(type);
  return state && state.getKind() == kind;
}

RankedTensorType mlir::phantom::withState(RankedTensorType type, StateAttr state) {
  return RankedTensorType::get(type.getShape(), type.getElementType(), state);
}

RankedTensorType mlir::phantom::getCotangentType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  StateAttr state = getState(tensor);
  if (!state)
    return tensor;
  StateKind kind = state.getKind();
  if (kind == StateKind::Partial)
    kind = StateKind::PerRank;
  else if (kind == StateKind::PerRank)
    kind = StateKind::Partial;
  return withState(tensor, StateAttr::get(type.getContext(), state.getAxis(), kind, state.getDim()));
}

int64_t mlir::phantom::getAxisSize(Operation *op, FlatSymbolRefAttr mesh, StringRef axis) {
  auto meshOp = SymbolTable::lookupNearestSymbolFrom<MeshOp>(op, mesh);
  return meshOp ? meshOp.getAxisSize(axis).value_or(0) : 0;
}

bool mlir::phantom::slopeFollowsFromResult(ActivationKind kind, double alpha) {
  switch (kind) {
  case ActivationKind::Relu:
  case ActivationKind::Sigmoid:
  case ActivationKind::Tanh:
    return true;
  case ActivationKind::LeakyRelu:
  case ActivationKind::Elu:
    return alpha > 0;
  case ActivationKind::GeluErf:
  case ActivationKind::GeluTanh:
  case ActivationKind::Silu:
  case ActivationKind::Softplus:
    return false;
  }
  llvm_unreachable("unknown activation");
}

//===----------------------------------------------------------------------===//
// Source, layout and axis
//===----------------------------------------------------------------------===//

Attribute SourceAttr::parse(AsmParser &parser, Type) {
  std::string file, tensor;
  int64_t offset = 0, length = 0;
  RankedTensorType type;
  if (parser.parseLess() || parser.parseString(&file))
    return {};
  if (succeeded(parser.parseOptionalKeyword("at"))) {
    if (parser.parseInteger(offset) || parser.parseColon() || parser.parseInteger(length))
      return {};
  } else if (parser.parseComma() || parser.parseString(&tensor)) {
    return {};
  }
  if (parser.parseComma() || parser.parseType(type))
    return {};
  SmallVector<int64_t> part;
  if (succeeded(parser.parseOptionalKeyword("part")) &&
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren,
                                     [&] { return parser.parseInteger(part.emplace_back()); }))
    return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<SourceAttr>(parser.getContext(), file, tensor, offset, length, type, part);
}

void SourceAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printString(getFile());
  if (getTensor().empty()) {
    printer << " at " << getOffset() << " : " << getLength();
  } else {
    printer << ", ";
    printer.printString(getTensor());
  }
  printer << ", " << getType();
  if (!getPart().empty()) {
    printer << " part(";
    llvm::interleaveComma(getPart(), printer);
    printer << ")";
  }
  printer << ">";
}

LogicalResult SourceAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef, StringRef, int64_t,
                                 int64_t, RankedTensorType type, ArrayRef<int64_t> part) {
  if (part.empty())
    return success();
  if (part.size() != 3)
    return emitError() << "a part of a source is a dimension, the first slice and the number of slices, not "
                       << part.size() << " numbers";
  int64_t dim = part[0], from = part[1], count = part[2];
  if (dim < 0 || dim >= type.getRank() || from < 0 || count < 0 || from > type.getDimSize(dim) - count)
    return emitError() << "the part (" << dim << ", " << from << ", " << count << ") is not inside " << type;
  return success();
}

SmallVector<int64_t> SourceAttr::getShape() const {
  SmallVector<int64_t> shape(getType().getShape());
  if (!getPart().empty())
    shape[getPart()[0]] = getPart()[2];
  return shape;
}

Attribute LayoutAttr::parse(AsmParser &parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<LayoutKind> kind = FieldParser<LayoutKind>::parse(parser);
  if (failed(kind))
    return {};
  int64_t dim = 0;
  if (*kind == LayoutKind::Shard &&
      (parser.parseLParen() || parser.parseInteger(dim) || parser.parseRParen()))
    return {};
  SmallVector<int64_t> stored;
  if (succeeded(parser.parseOptionalKeyword("as")) &&
      parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                     [&] { return parser.parseInteger(stored.emplace_back()); }))
    return {};
  if (parser.parseGreater())
    return {};
  return LayoutAttr::get(parser.getContext(), *kind, dim, stored);
}

void LayoutAttr::print(AsmPrinter &printer) const {
  printer << "<" << stringifyLayoutKind(getKind());
  if (getKind() == LayoutKind::Shard)
    printer << "(" << getDim() << ")";
  if (!getStored().empty()) {
    printer << " as [";
    llvm::interleaveComma(getStored(), printer);
    printer << "]";
  }
  printer << ">";
}

LogicalResult AxisAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef name, int64_t size) {
  if (name.empty())
    return emitError() << "mesh axis needs a name";
  if (size < 1)
    return emitError() << "mesh axis '" << name << "' needs at least one rank, has " << size;
  return success();
}
