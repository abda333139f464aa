//===- Pipelines.h - Pipelines from a dense model to a training step -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_PIPELINES_PIPELINES_H
#define PHANTOM_PIPELINES_PIPELINES_H

#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace phantom {

using mlir::phantom::FirstLayer;
using mlir::phantom::InitStart;
using mlir::phantom::LastLayer;
using mlir::phantom::LossKind;
using mlir::phantom::OptimizerKind;
using mlir::phantom::Strategy;

/// What both pipelines ask: the batch and the partition. The meaning of each is that of the pass's option.
struct InferPipelineOptions : mlir::PassPipelineOptions<InferPipelineOptions> {
  Option<int64_t> batchSize{*this, "batch-size", llvm::cl::desc("rows of a batch"), llvm::cl::init(0)};
  Option<Strategy> strategy{
      *this, "strategy", llvm::cl::desc("how layers are divided"), llvm::cl::init(Strategy::Phantom),
      llvm::cl::values(clEnumValN(Strategy::Phantom, "phantom", "phantom layers"),
                       clEnumValN(Strategy::Tensor, "tensor", "all-gather and reduce-scatter"),
                       clEnumValN(Strategy::Megatron, "megatron", "column and row pairs"))};
  Option<int64_t> ranks{*this, "ranks", llvm::cl::desc("ranks of the phantom axis"), llvm::cl::init(1)};
  Option<int64_t> ghostWidth{*this, "ghost-width", llvm::cl::desc("ghost neurons per rank and layer"),
                             llvm::cl::init(0)};
  ListOption<std::string> ghostWidths{*this, "ghost-widths",
                                      llvm::cl::desc("LAYER=K of single phantom layers")};
  Option<std::string> select{*this, "select", llvm::cl::desc("glob over layer names"), llvm::cl::init("*")};
  Option<FirstLayer> firstLayer{
      *this, "first-layer", llvm::cl::desc("layer with a replicated input"),
      llvm::cl::init(FirstLayer::Dense),
      llvm::cl::values(clEnumValN(FirstLayer::Dense, "dense", "rows of the dense weight"),
                       clEnumValN(FirstLayer::Phantom, "phantom", "a phantom layer"))};
  Option<LastLayer> lastLayer{*this, "last-layer", llvm::cl::desc("layer that makes the output"),
                              llvm::cl::init(LastLayer::Reduce),
                              llvm::cl::values(clEnumValN(LastLayer::Reduce, "reduce", "one all-reduce"),
                                               clEnumValN(LastLayer::Phantom, "phantom", "a phantom layer"))};
  Option<InitStart> init{*this, "init", llvm::cl::desc("first values of the parameters"),
                         llvm::cl::init(InitStart::FromDense),
                         llvm::cl::values(clEnumValN(InitStart::FromDense, "from-dense", "from the model"),
                                          clEnumValN(InitStart::Random, "random", "uniform"))};
  Option<bool> optimizeExchanges{*this, "optimize-exchanges",
                                 llvm::cl::desc("run phantom-optimize-exchanges"), llvm::cl::init(true)};
};

/// Those of the training step.
struct TrainPipelineOptions : InferPipelineOptions {
  Option<LossKind> loss{*this, "loss", llvm::cl::desc("training loss"),
                        llvm::cl::init(LossKind::CrossEntropy),
                        llvm::cl::values(clEnumValN(LossKind::CrossEntropy, "cross-entropy", "from logits"),
                                         clEnumValN(LossKind::Mse, "mse", "mean squared error"),
                                         clEnumValN(LossKind::Bce, "bce", "from logits"))};
  Option<double> labelSmoothing{*this, "label-smoothing", llvm::cl::desc("of cross-entropy"),
                                llvm::cl::init(0.0)};
  Option<OptimizerKind> optimizer{
      *this, "optimizer", llvm::cl::desc("update rule"), llvm::cl::init(OptimizerKind::Sgd),
      llvm::cl::values(clEnumValN(OptimizerKind::Sgd, "sgd", "gradient descent"),
                       clEnumValN(OptimizerKind::Momentum, "momentum", "heavy ball"),
                       clEnumValN(OptimizerKind::Adam, "adam", "Adam"),
                       clEnumValN(OptimizerKind::AdamW, "adamw", "decoupled weight decay"))};
  Option<std::string> trainable{*this, "trainable", llvm::cl::desc("glob over parameter names"),
                                llvm::cl::init("")};
  Option<std::string> frozen{*this, "frozen", llvm::cl::desc("glob over parameter names"),
                             llvm::cl::init("")};
  Option<double> momentum{*this, "momentum", llvm::cl::desc("factor of the old velocity"),
                          llvm::cl::init(0.9)};
  Option<double> beta1{*this, "beta1", llvm::cl::desc("decay of the first moment"), llvm::cl::init(0.9)};
  Option<double> beta2{*this, "beta2", llvm::cl::desc("decay of the second moment"), llvm::cl::init(0.999)};
  Option<double> epsilon{*this, "epsilon", llvm::cl::desc("added to the root"), llvm::cl::init(1e-8)};
  Option<double> weightDecay{*this, "weight-decay", llvm::cl::desc("decay of the weights"),
                             llvm::cl::init(0.0)};
  ListOption<std::string> weightDecays{*this, "weight-decays", llvm::cl::desc("GLOB=F: of these parameters")};
  ListOption<std::string> learningRateFactors{*this, "learning-rate-factors",
                                              llvm::cl::desc("GLOB=F: of these parameters")};
  Option<double> clipNorm{*this, "clip-norm", llvm::cl::desc("largest norm of all gradients; 0: any"),
                          llvm::cl::init(0.0)};
  Option<int64_t> accumulate{*this, "accumulate", llvm::cl::desc("batches per step"), llvm::cl::init(1)};
};

/// Dense model → partitioned `@forward` of one batch size.
void buildInferPipeline(mlir::OpPassManager &pm, const InferPipelineOptions &options);

/// Dense model → partitioned `@forward`, `@evaluate`, `@gradients` and `@train_step` (or `@accumulate` and
/// `@update`).
void buildTrainPipeline(mlir::OpPassManager &pm, const TrainPipelineOptions &options);

/// Registers `phantom-infer-pipeline` and `phantom-train-pipeline`.
void registerPipelines();

} // namespace phantom

#endif // PHANTOM_PIPELINES_PIPELINES_H
