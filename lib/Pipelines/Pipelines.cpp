//===- Pipelines.cpp - Pipelines from a dense model to a training step -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Pipelines/Pipelines.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir::phantom;
using mlir::OpPassManager;
using mlir::PassPipelineRegistration;

void ::phantom::buildInferPipeline(OpPassManager &pm, const InferPipelineOptions &options) {
  // A hand-made model may not have been through the importer.
  pm.addPass(createPhantomRecognize());
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(createPhantomSpecializeBatch({options.batchSize}));
  pm.addPass(createPhantomPartition({options.strategy, options.ranks, options.ghostWidth, options.select,
                                     options.firstLayer, options.lastLayer, options.init,
                                     llvm::to_vector(options.ghostWidths)}));
  pm.addPass(createPhantomVerifyPartition());
  pm.addPass(mlir::createCanonicalizerPass());
  if (options.optimizeExchanges)
    pm.addPass(createPhantomOptimizeExchanges());
}

void ::phantom::buildTrainPipeline(OpPassManager &pm, const TrainPipelineOptions &options) {
  if (!options.trainable.empty() || !options.frozen.empty())
    pm.addPass(createPhantomSelectTrainable({options.trainable, options.frozen}));
  buildInferPipeline(pm, options);
  pm.addPass(createPhantomDifferentiate({options.labelSmoothing, options.loss}));
  PhantomApplyOptimizerOptions optimizer;
  optimizer.kind = options.optimizer;
  optimizer.momentum = options.momentum;
  optimizer.beta1 = options.beta1;
  optimizer.beta2 = options.beta2;
  optimizer.epsilon = options.epsilon;
  optimizer.weightDecay = options.weightDecay;
  optimizer.weightDecays.assign(options.weightDecays.begin(), options.weightDecays.end());
  optimizer.learningRateFactors.assign(options.learningRateFactors.begin(),
                                       options.learningRateFactors.end());
  optimizer.clipNorm = options.clipNorm;
  optimizer.accumulate = options.accumulate;
  pm.addPass(createPhantomApplyOptimizer(optimizer));
  if (options.optimizeExchanges)
    pm.addPass(createPhantomOptimizeExchanges());
  // Sums of cotangents become accumulating GEMMs; what no gradient needs goes away.
  pm.addPass(mlir::createCanonicalizerPass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(createPhantomVerifyPartition());
}

void ::phantom::registerPipelines() {
  PassPipelineRegistration<InferPipelineOptions>("phantom-infer-pipeline",
                                                 "partition a dense model for inference on a mesh of ranks",
                                                 buildInferPipeline);
  PassPipelineRegistration<TrainPipelineOptions>(
      "phantom-train-pipeline", "partition a dense model, derive its gradients and build the training step",
      buildTrainPipeline);
}
