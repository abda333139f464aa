//===- partition.cpp - Runs a pass of an installed Phantom ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/InitAll.h"
#include "phantom/Pipelines/Pipelines.h"
#include "phantom/Target/ONNX/Import.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

/// Imports an ONNX model, divides it over two ranks, and prints it.
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  phantom::registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  if (argc != 2)
    return 1;
  auto model = phantom::onnx::importOnnxModel(argv[1], context);
  if (mlir::failed(model))
    return 1;
  phantom::InferPipelineOptions options;
  options.batchSize = 4;
  options.ranks = 2;
  options.ghostWidth = 3;
  mlir::PassManager passes(&context);
  phantom::buildInferPipeline(passes, options);
  if (mlir::failed(passes.run(**model)))
    return 1;
  (*model)->print(llvm::outs());
  return 0;
}
