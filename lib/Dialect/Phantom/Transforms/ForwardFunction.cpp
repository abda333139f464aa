//===- ForwardFunction.cpp - The model's forward function -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"

using namespace mlir;
using namespace mlir::phantom;

FailureOr<func::FuncOp> mlir::phantom::getForwardFunction(ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>(kForward);
  if (!forward || forward.isExternal() || !forward.getBody().hasOneBlock()) {
    module.emitError() << "the module has no function @" << kForward << " of one block: import a model first";
    return failure();
  }
  auto isDynamic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.hasStaticShape();
  };
  bool dynamic = llvm::any_of(forward.getArgumentTypes(), isDynamic);
  forward.walk([&](Operation *op) { dynamic |= llvm::any_of(op->getResultTypes(), isDynamic); });
  if (dynamic) {
    forward.emitError() << "@" << kForward << " has dynamic shapes: run phantom-specialize-batch first";
    return failure();
  }
  return forward;
}

ParameterOp mlir::phantom::getParameter(Value value) {
  auto argument = dyn_cast_or_null<BlockArgument>(value);
  if (!argument)
    return {};
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function)
    return {};
  auto symbol =
      function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), PhantomDialect::kParameter);
  return symbol ? SymbolTable::lookupNearestSymbolFrom<ParameterOp>(function, symbol) : ParameterOp();
}

StringRef mlir::phantom::getLayerName(StringRef weight) {
  size_t dot = weight.rfind('.');
  return dot == StringRef::npos ? weight : weight.take_front(dot);
}

std::string mlir::phantom::getPartName(StringRef parameter, int64_t part, StringRef role) {
  StringRef layer = getLayerName(parameter),
            last = layer == parameter ? role : parameter.drop_front(layer.size() + 1);
  return (layer + ".part" + Twine(part) + "." + last).str();
}

std::optional<LayerPart> mlir::phantom::getLayerPart(StringRef layer) {
  auto [whole, number] = layer.rsplit(".part");
  int64_t value = 0;
  if (whole.empty() || number.empty() || number.getAsInteger(10, value))
    return std::nullopt;
  return LayerPart{whole, value};
}
