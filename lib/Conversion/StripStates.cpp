//===- StripStates.cpp - Drops states from all types -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMSTRIPSTATES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType withoutState(RankedTensorType type) {
  return getState(type) ? RankedTensorType::get(type.getShape(), type.getElementType()) : type;
}

struct StripStatesPass : phantom::impl::PhantomStripStatesBase<StripStatesPass> {
  void runOnOperation() override {
    AttrTypeReplacer replacer;
    replacer.addReplacement([](RankedTensorType type) { return withoutState(type); });
    // The type of a dense constant is no sub-element that the replacer sees.
    replacer.addReplacement([](DenseElementsAttr value) -> Attribute {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return type && getState(type) ? value.reshape(withoutState(type)) : value;
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }
};

} // namespace
