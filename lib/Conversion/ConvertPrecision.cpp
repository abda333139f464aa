//===- ConvertPrecision.cpp - All of f64, or factors of bf16 -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
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

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

APFloat widened(APFloat value) {
  bool losesInfo = false;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &losesInfo);
  return value;
}

struct ConvertPrecisionPass : phantom::impl::PhantomConvertPrecisionBase<ConvertPrecisionPass> {
  using PhantomConvertPrecisionBase::PhantomConvertPrecisionBase;

  void runOnOperation() override {
    if (to == Precision::BF16)
      for (auto function : getOperation().getOps<func::FuncOp>())
        narrowFactors(function);
    if (to == Precision::F64)
      widenAll();
  }

private:
  /// Rounds what GEMMs multiply, each value once: before the first GEMM that takes it.
  static void narrowFactors(func::FuncOp function) {
    // Products of activations are no GEMMs: they take the rounded values as f32.
    for (auto matmul : llvm::to_vector(function.getOps<MatmulOp>()))
      for (OpOperand *factor : {&matmul.getLhsMutable(), &matmul.getRhsMutable()}) {
        OpBuilder b(matmul);
        if (tensorType(factor->get()).getElementType().isF32())
          factor->set(CastOp::create(b, matmul.getLoc(), factor->get().getType(), factor->get(),
                                     NarrowFloatAttr::get(b.getContext(), NarrowFloat::BF16)));
      }
    llvm::DenseMap<Value, Value> narrowed;
    for (auto gemm : llvm::to_vector(function.getOps<GemmOp>())) {
      if (!gemm.getResult() || !getElementTypeOrSelf(gemm.getA()).isF32())
        continue;
      for (OpOperand *factor : {&gemm.getAMutable(), &gemm.getBMutable()}) {
        Value &narrow = narrowed[factor->get()];
        if (!narrow) {
          OpBuilder b(gemm);
          RankedTensorType type = tensorType(factor->get());
          narrow = arith::TruncFOp::create(b, gemm.getLoc(), type.clone(b.getBF16Type()), factor->get());
        }
        factor->set(narrow);
      }
    }
  }

  void widenAll() {
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
