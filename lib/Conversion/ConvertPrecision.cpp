//===- ConvertPrecision.cpp - f32 to f64, for an oracle -*- C++ -*-===//
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
#include "llvm/ADT/APFloat.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMCONVERTPRECISION
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

APFloat widened(APFloat value) {
  bool losesInfo = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value;
}

struct ConvertPrecisionPass : phantom::impl::PhantomConvertPrecisionBase<ConvertPrecisionPass> {
  using PhantomConvertPrecisionBase::PhantomConvertPrecisionBase;

  void runOnOperation() override {
    if (to == Precision::F32)
      return;
    Type f64 = Float64Type::get(&getContext());
    AttrTypeReplacer replacer;
    replacer.addReplacement([f64](Float32Type) { return f64; });
    replacer.addReplacement([f64](FloatAttr value) -> Attribute {
      return value.getType().isF32() ? FloatAttr::get(f64, widened(value.getValue())) : value;
    });
    replacer.addReplacement([f64](DenseFPElementsAttr value) -> Attribute {
      if (!value.getElementType().isF32())
        return value;
      return value.mapValues(f64, [](const APFloat &v) { return widened(v).bitcastToAPInt(); });
    });
    // What a file holds does not change.
    replacer.addReplacement([](SourceAttr source) -> AttrTypeReplacer::ReplaceFnResult<Attribute> {
      return {{source, WalkResult::skip()}};
    });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }
};

} // namespace
