//===- InitAll.cpp - Registers everything the tools know --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/InitAll.h"

#include "phantom/Conversion/BufferizableOpInterfaceImpl.h"
#include "phantom/Conversion/Passes.h"
#include "phantom/Conversion/Pipelines.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"
#include "phantom/Pipelines/Pipelines.h"

#include "mlir/Dialect/Func/Extensions/AllExtensions.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"

void phantom::registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  registry.insert<mlir::phantom::PhantomDialect>();
  mlir::func::registerAllExtensions(registry);
  mlir::phantom::registerDifferentiableExternalModels(registry);
  mlir::phantom::registerBufferizableOpInterfaceExternalModels(registry);
}

void phantom::registerAllPasses() {
  mlir::registerAllPasses();
  mlir::phantom::registerPhantomTransformsPasses();
  mlir::phantom::registerPhantomConversionPasses();
  mlir::phantom::registerConversionPipelines();
  registerPipelines();
}
