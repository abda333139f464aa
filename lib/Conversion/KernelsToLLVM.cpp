//===- KernelsToLLVM.cpp - Kernels to the LLVM dialect -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

#include <cmath>

namespace mlir::phantom {
#define GEN_PASS_DEF_CONVERTPHANTOMKERNELSTOLLVM
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

struct KernelsToLLVMPass : phantom::impl::ConvertPhantomKernelsToLLVMBase<KernelsToLLVMPass> {
  void runOnOperation() override {
    auto kernels = getOperation().lookupSymbol<ModuleOp>("kernels");
    if (!kernels)
      return;
    OpPassManager toLoops(ModuleOp::getOperationName());
    toLoops.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
    if (failed(runPipeline(toLoops, kernels)) || failed(approximateMath(kernels)))
      return signalPassFailure();

    OpPassManager toLLVM(ModuleOp::getOperationName());
    toLLVM.addPass(createSCFToControlFlowPass());
    toLLVM.addPass(memref::createExpandStridedMetadataPass());
    toLLVM.addPass(createLowerAffinePass());
    toLLVM.addPass(createConvertMathToLLVMPass());
    toLLVM.addPass(createConvertMathToLibmPass());
    toLLVM.addPass(createArithToLLVMConversionPass());
    toLLVM.addPass(createConvertControlFlowToLLVMPass());
    toLLVM.addPass(createFinalizeMemRefToLLVMConversionPass());
    ConvertFuncToLLVMPassOptions options;
    options.useBarePtrCallConv = true;
    toLLVM.addPass(createConvertFuncToLLVMPass(options));
    toLLVM.addPass(createReconcileUnrealizedCastsPass());
    toLLVM.addPass(createCanonicalizerPass());
    if (failed(runPipeline(toLLVM, kernels)))
      signalPassFailure();
  }

private:
  /// The polynomial of the logarithm takes normal numbers: log x = log 2²⁴x − 24 log 2 below.
  static void normalizeLogarithms(ModuleOp kernels) {
    SmallVector<math::LogOp> logarithms;
    kernels.walk([&](math::LogOp op) {
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

  /// f32 functions as polynomials, which LLVM vectorises. f64 is left to the C library.
  LogicalResult approximateMath(ModuleOp kernels) {
    normalizeLogarithms(kernels);
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(patterns);
    return applyPatternsGreedily(kernels, std::move(patterns));
  }
};

} // namespace
