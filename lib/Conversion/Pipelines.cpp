//===- Pipelines.cpp - Pipelines from partitioned models to step programs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::phantom;

void mlir::phantom::buildToCpuPipeline(OpPassManager &pm, const ToCpuPipelineOptions &options) {
  pm.addPass(createPhantomStripStates());
  if (options.precision == Precision::F64)
    pm.addPass(createPhantomConvertPrecision({Precision::F64}));
  pm.addPass(createConvertPhantomToGemm());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.mergeGemms)
    pm.addPass(createPhantomMergeGemms());
  if (options.fuseEpilogues)
    pm.addPass(createPhantomFuseEpilogues());
  ConvertPhantomToLinalgOptions toLinalg;
  // The GEMM library has no f64.
  toLinalg.referenceGemm = options.referenceGemm || options.precision == Precision::F64;
  toLinalg.fuse = options.fuseElementwise;
  pm.addPass(createConvertPhantomToLinalg(toLinalg));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.hoistUpdates)
    pm.addPass(createPhantomHoistUpdates());
  pm.addPass(createPhantomBufferize({options.elideCopies}));
  pm.addPass(createPhantomOutlineKernels());
  pm.addPass(createPhantomOverlapExchanges({options.overlap}));
  pm.addPass(createPhantomPlanMemory({options.planMemory}));
  pm.addPass(createCSEPass());
  pm.addPass(createPhantomVerifyProgram());
  pm.addPass(createConvertPhantomKernelsToLLVM());
}

void mlir::phantom::registerConversionPipelines() {
  PassPipelineRegistration<ToCpuPipelineOptions>(
      "phantom-to-cpu-pipeline", "from functions on tensors to a step program with CPU kernels",
      buildToCpuPipeline);
}
