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

/// From tensors with states to GEMMs of `library`.
static void addGemmPasses(OpPassManager &pm, const ToCpuPipelineOptions &options, GemmLibrary library) {
  pm.addPass(createPhantomStripStates());
  if (options.exchangeEncoding != WireEncoding::F32)
    pm.addPass(createPhantomEncodeExchanges({options.exchangeEncoding}));
  if (options.precision == Precision::F64)
    pm.addPass(createPhantomConvertPrecision({Precision::F64}));
  pm.addPass(createConvertPhantomToGemm());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.mergeGemms)
    pm.addPass(createPhantomMergeGemms());
  if (options.fuseEpilogues) {
    PhantomFuseEpiloguesOptions epilogues;
    epilogues.library = library;
    pm.addPass(createPhantomFuseEpilogues(epilogues));
  }
}

/// To kernels on buffers, beside which exchanges run. On GPUs many threads share a sum, and a kernel more
/// costs more than on a CPU.
static void addBufferPasses(OpPassManager &pm, const ToCpuPipelineOptions &options, bool onGpus) {
  if (options.precision == Precision::BF16)
    pm.addPass(createPhantomConvertPrecision({Precision::BF16}));
  ConvertPhantomToLinalgOptions toLinalg;
  // The GEMM libraries have no f64.
  toLinalg.referenceGemm = options.referenceGemm || options.precision == Precision::F64;
  toLinalg.fuse = options.fuseElementwise;
  pm.addPass(createConvertPhantomToLinalg(toLinalg));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (options.recomputeActivations)
    pm.addPass(createPhantomRecomputeActivations());
  if (options.hoistUpdates)
    pm.addPass(createPhantomHoistUpdates());
  if (onGpus) {
    pm.addPass(createPhantomSplitReductions());
    pm.addPass(createCanonicalizerPass());
  }
  pm.addPass(createPhantomBufferize({options.elideCopies}));
  pm.addPass(createPhantomOutlineKernels({/*mergeFills=*/onGpus}));
  pm.addPass(createPhantomOverlapExchanges({options.overlap}));
}

static void addMemoryPasses(OpPassManager &pm, const ToCpuPipelineOptions &options) {
  pm.addPass(createPhantomPlanMemory({options.planMemory}));
  pm.addPass(createCSEPass());
  pm.addPass(createPhantomVerifyProgram());
}

void mlir::phantom::buildToCpuPipeline(OpPassManager &pm, const ToCpuPipelineOptions &options) {
  addGemmPasses(pm, options, GemmLibrary::Cpu);
  addBufferPasses(pm, options, /*onGpus=*/false);
  addMemoryPasses(pm, options);
  pm.addPass(createConvertPhantomKernelsToLLVM());
}

void mlir::phantom::buildToCudaPipeline(OpPassManager &pm, const ToCudaPipelineOptions &options) {
  addGemmPasses(pm, options, GemmLibrary::CublasLt);
  const bool isReference = options.referenceGemm || options.precision == Precision::F64;
  if (options.fuseEpilogues && options.fuseGradientEpilogues && !isReference)
    pm.addPass(createPhantomFuseGradientEpilogues());
  pm.addPass(createPhantomPackExchanges());
  addBufferPasses(pm, options, /*onGpus=*/true);
  pm.addPass(createPhantomScheduleStreams());
  addMemoryPasses(pm, options);
  ConvertPhantomKernelsToGpuOptions toGpu;
  toGpu.chips.assign(options.chips.begin(), options.chips.end());
  pm.addPass(createConvertPhantomKernelsToGpu(toGpu));
}

void mlir::phantom::registerConversionPipelines() {
  PassPipelineRegistration<ToCpuPipelineOptions>(
      "phantom-to-cpu-pipeline", "from functions on tensors to a step program with CPU kernels",
      buildToCpuPipeline);
  PassPipelineRegistration<ToCudaPipelineOptions>(
      "phantom-to-cuda-pipeline",
      "from functions on tensors to a step program for GPUs, with kernels for them", buildToCudaPipeline);
}
