//===- KernelsToLLVM.cpp - Kernels to the LLVM dialect -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/KernelLowering.h"
#include "phantom/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

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
    if (failed(runPipeline(toLoops, kernels)) || failed(expandArithmetic(kernels)))
      return signalPassFailure();

    OpPassManager toLLVM(ModuleOp::getOperationName());
    addLoopsToLLVMPasses(toLLVM);
    if (failed(runPipeline(toLLVM, kernels)))
      signalPassFailure();
  }
};

} // namespace
