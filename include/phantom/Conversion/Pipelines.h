//===- Pipelines.h - Pipelines from partitioned models to step programs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_PIPELINES_H
#define PHANTOM_CONVERSION_PIPELINES_H

#include "phantom/Conversion/Passes.h"

#include "mlir/Pass/PassOptions.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::phantom {

/// Of both pipelines.
struct ToCpuPipelineOptions : PassPipelineOptions<ToCpuPipelineOptions> {
  Option<bool> overlap{*this, "overlap", llvm::cl::desc("start exchanges early and wait late"),
                       llvm::cl::init(true)};
  Option<bool> mergeGemms{*this, "merge-gemms", llvm::cl::desc("let GEMMs accumulate sums of products"),
                          llvm::cl::init(true)};
  Option<bool> fuseEpilogues{*this, "fuse-epilogues",
                             llvm::cl::desc("let GEMMs add biases and apply activations"),
                             llvm::cl::init(true)};
  Option<bool> fuseElementwise{*this, "fuse-elementwise",
                               llvm::cl::desc("one kernel of several elementwise ops"), llvm::cl::init(true)};
  Option<bool> hoistUpdates{*this, "hoist-updates",
                            llvm::cl::desc("update parameters where their gradients are made"),
                            llvm::cl::init(true)};
  Option<bool> recomputeActivations{
      *this, "recompute-activations",
      llvm::cl::desc("compute activations again instead of keeping them: less memory, more time"),
      llvm::cl::init(false)};
  Option<bool> elideCopies{*this, "elide-copies", llvm::cl::desc("make what is exchanged in its window"),
                           llvm::cl::init(true)};
  Option<bool> planMemory{*this, "plan-memory",
                          llvm::cl::desc("let buffers that do not live at the same time share memory"),
                          llvm::cl::init(true)};
  Option<bool> referenceGemm{*this, "reference-gemm", llvm::cl::desc("GEMMs as plain loops, an oracle"),
                             llvm::cl::init(false)};
  Option<WireEncoding> exchangeEncoding{
      *this, "exchange-encoding", llvm::cl::desc("what exchanges carry"),
      llvm::cl::values(clEnumValN(WireEncoding::F32, "f32", "values as they are"),
                       clEnumValN(WireEncoding::BF16, "bf16", "rounded values"),
                       clEnumValN(WireEncoding::Int8, "int8", "bytes, and a scale per row")),
      llvm::cl::init(WireEncoding::F32)};
  Option<Precision> precision{
      *this, "precision", llvm::cl::desc("what to compute in; f64 implies reference-gemm"),
      llvm::cl::values(clEnumValN(Precision::F32, "f32", "as imported"),
                       clEnumValN(Precision::BF16, "bf16", "factors of products in bf16"),
                       clEnumValN(Precision::F64, "f64", "double precision")),
      llvm::cl::init(Precision::F32)};
};

struct ToCudaPipelineOptions : ToCpuPipelineOptions {
  Option<bool> fuseGradientEpilogues{
      *this, "fuse-gradient-epilogues",
      llvm::cl::desc("let GEMMs multiply by slopes and sum bias gradients, where their epilogues are fused"),
      llvm::cl::init(false)};
  ListOption<std::string> chips{*this, "chips",
                                llvm::cl::desc("GPUs to compile for, such as sm_90; default: all")};
};

/// From functions on (partitioned) tensors to a verified step program with kernels in the LLVM dialect.
void buildToCpuPipeline(OpPassManager &pm, const ToCpuPipelineOptions &options);

/// As `buildToCpuPipeline`, to a step program for GPUs with kernels in a gpu.module.
void buildToCudaPipeline(OpPassManager &pm, const ToCudaPipelineOptions &options);

/// `phantom-to-cpu-pipeline` and `phantom-to-cuda-pipeline`.
void registerConversionPipelines();

} // namespace mlir::phantom

#endif // PHANTOM_CONVERSION_PIPELINES_H
