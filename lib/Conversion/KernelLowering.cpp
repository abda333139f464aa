//===- KernelLowering.cpp - What kernels for CPUs and GPUs share -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/KernelLowering.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

#include <cmath>

using namespace mlir;

/// The polynomial of the logarithm takes normal numbers: log x = log 2²⁴x − 24 log 2 below.
static void normalizeLogarithms(Operation *kernels) {
  SmallVector<math::LogOp> logarithms;
  kernels->walk([&](math::LogOp op) {
    if (op.getType().isF32())
      logarithms.push_back(op);
  });
  for (math::LogOp op : logarithms) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    auto constant = [&](double value) { return arith::ConstantOp::create(b, b.getF32FloatAttr(value)); };
    Value x = op.getOperand(), zero = constant(0);
    Value small = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, constant(0x1p-126));
    Value scaled = arith::MulFOp::create(b, x, constant(0x1p24));
    op.setOperand(arith::SelectOp::create(b, small, scaled, x));
    b.setInsertionPointAfter(op);
    Value shift = arith::SelectOp::create(b, small, constant(24 * M_LN2), zero);
    auto result = arith::SubFOp::create(b, op, shift);
    op.getResult().replaceAllUsesExcept(result, result);
  }
}

/// Where the CPU has no bf16, LLVM moves values of it through f32, and back by a function that no library
/// has. What is left of bf16 is only moved: as its bits.
static void moveBFloat16AsBits(Operation *kernels) {
  Type i16 = IntegerType::get(kernels->getContext(), 16);
  AttrTypeReplacer replacer;
  replacer.addReplacement([i16](BFloat16Type) { return i16; });
  replacer.addReplacement([i16](FloatAttr value) -> Attribute {
    if (!value.getType().isBF16())
      return value;
    return IntegerAttr::get(i16, value.getValue().bitcastToAPInt());
  });
  replacer.recursivelyReplaceElementsIn(kernels, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

LogicalResult mlir::phantom::expandArithmetic(Operation *kernels) {
  normalizeLogarithms(kernels);
  RewritePatternSet patterns(kernels->getContext());
  populateMathPolynomialApproximationPatterns(patterns);
  arith::populateExpandBFloat16Patterns(patterns);
  if (failed(applyPatternsGreedily(kernels, std::move(patterns))))
    return failure();
  moveBFloat16AsBits(kernels);
  return success();
}

void mlir::phantom::addLoopsToLLVMPasses(OpPassManager &pm) {
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  ConvertFuncToLLVMPassOptions options;
  options.useBarePtrCallConv = true;
  pm.addPass(createConvertFuncToLLVMPass(options));
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
}
