//===- StepProgram.cpp - Planned functions as a step program -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/StepProgram/StepProgram.h"

#include "Builders.h"

using namespace mlir;
using namespace mlir::phantom;

/// An attribute of the module as text: a string, or the name of a loss.
static std::string moduleText(ModuleOp module, StringRef name) {
  Attribute attribute = module->getAttr(name);
  if (auto text = dyn_cast_or_null<StringAttr>(attribute))
    return text.str();
  if (auto loss = dyn_cast_or_null<LossKindAttr>(attribute)) {
    if (loss.getValue() == LossKind::CrossEntropy)
      return "cross-entropy";
    return stringifyLossKind(loss.getValue()).str();
  }
  return "";
}

static LogicalResult exportTables(ModuleOp module, rt::Program &program) {
  program.model = moduleText(module, PhantomDialect::kModel);
  program.strategy = moduleText(module, PhantomDialect::kStrategy);
  if (program.strategy.empty())
    program.strategy = "none";
  program.loss = moduleText(module, PhantomDialect::kLossKind);
  for (auto mesh : module.getOps<MeshOp>())
    program.ranks = mesh.getAxes().front().getSize();
  for (auto op : module.getOps<ParameterOp>()) {
    FailureOr<rt::Parameter> parameter = toParameter(op);
    if (failed(parameter))
      return failure();
    if (parameter->stateOf.empty())
      program.element = parameter->type.element;
    program.parameters.push_back(std::move(*parameter));
  }
  return success();
}

FailureOr<rt::Program> mlir::phantom::exportStepProgram(ModuleOp module) {
  rt::Program program;
  program.device = gpuKernels(module) ? rt::DeviceKind::Gpu : rt::DeviceKind::Cpu;
  if (failed(exportTables(module, program)))
    return failure();
  if (auto parts = module->getAttrOfType<IntegerAttr>(PhantomDialect::kAccumulation))
    program.accumulation = parts.getInt();
  FunctionExporter exporter(module, program);
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    if (failed(exporter.exportFunction(function)))
      return failure();
  }
  for (auto [function, runs] : program.stepFunctions())
    addCosts(module.lookupSymbol<func::FuncOp>(function->name), runs, program.trainCosts);
  program.trainCosts.parameters = countTrainable(program, module);
  if (auto batch = module->getAttrOfType<IntegerAttr>(PhantomDialect::kBatch))
    program.batch = batch.getInt();
  // Otherwise the rows of the first input.
  for (const rt::Function &function : program.functions)
    for (const rt::Argument &argument : function.arguments)
      if (argument.role == rt::Role::Input && !argument.type.shape.empty() && program.batch == 0)
        program.batch = argument.type.shape[0];
  return program;
}
