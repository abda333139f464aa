//===- Import.cpp - Builds the dense model from an ONNX graph ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/ONNX/Import.h"

#include "BindConstants.h"
#include "NodeImporter.h"
#include "Normalize.h"
#include "Parameters.h"

#include "phantom-rt/HostTensor.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::PhantomDialect;

namespace phantom::onnx {

namespace {

class GraphImporter {
public:
  GraphImporter(const Model &model, const ParameterSet &parameters, const ImportOptions &options,
                MLIRContext &context)
      : model(model), parameters(parameters), options(options), builder(&context) {
    table.doubles = none_of(parameters.parameters(), [](const Parameter &parameter) {
      return parameter.tensor->type == static_cast<int32_t>(DataType::Double);
    });
  }

  FailureOr<OwningOpRef<ModuleOp>> run(ArrayRef<std::string> outputValues);

private:
  FailureOr<RankedTensorType> inputType(const ValueInfo &input);
  LogicalResult declareParameters(ModuleOp module);
  LogicalResult createFunction(ModuleOp module);
  LogicalResult importNodes();
  LogicalResult createReturn(ArrayRef<std::string> outputValues);
  void eraseUnused();

  Location named(StringRef name) { return NameLoc::get(builder.getStringAttr(name)); }

  const Model &model;
  const ParameterSet &parameters;
  const ImportOptions &options;
  OpBuilder builder;
  ValueTable table;
  func::FuncOp function;
};

FailureOr<RankedTensorType> GraphImporter::inputType(const ValueInfo &input) {
  auto refuse = [&] {
    return emitError(modelLocation(model, *builder.getContext())) << "input " << quoteName(input.name) << " ";
  };
  if (input.type == 0)
    return refuse() << "is no tensor";
  Type element = elementType(input.type, table.doubles, builder);
  if (!element)
    return refuse() << "has elements of type " << dataTypeName(input.type) << ", which is not supported";
  if (!input.shape)
    return refuse() << "has no shape: export the model with shapes";
  SmallVector<int64_t> shape;
  int64_t elements = 1;
  constexpr int64_t most = int64_t(1) << 44;
  for (auto [d, dimension] : enumerate(*input.shape)) {
    if (!dimension.value) {
      if (d != 0)
        return refuse()
               << "has the dynamic dimension " << d
               << (dimension.symbol.empty() ? std::string() : " (" + quoteName(dimension.symbol) + ")")
               << "; only the first, the batch, may be dynamic: export the model with the others fixed";
      shape.push_back(ShapedType::kDynamic);
      continue;
    }
    if (*dimension.value < 0 || *dimension.value > most / elements)
      return refuse() << "has the extent " << *dimension.value << " in dimension " << d
                      << ", which is negative or too large";
    elements *= std::max<int64_t>(*dimension.value, 1);
    shape.push_back(*dimension.value);
  }
  if (element.isF32() && input.type != static_cast<int32_t>(DataType::Float))
    emitRemark(named(input.name)) << "input " << quoteName(input.name) << " is computed in float, not in "
                                  << dataTypeName(input.type);
  return RankedTensorType::get(shape, element);
}

LogicalResult GraphImporter::declareParameters(ModuleOp module) {
  builder.setInsertionPointToEnd(module.getBody());
  for (const Parameter &parameter : parameters.parameters()) {
    auto init = mlir::phantom::InitAttr::get(
        builder.getContext(), mlir::phantom::InitKind::Load, parameter.source,
        /*transposed=*/false, /*ghost_width=*/0, /*fan_in=*/0, /*zero_own=*/false);
    mlir::phantom::ParameterOp::create(
        builder, named(parameter.tensor->name), builder.getStringAttr(parameter.symbol),
        TypeAttr::get(parameter.type), mlir::phantom::LayoutAttr(), init,
        parameter.trainable ? builder.getUnitAttr() : UnitAttr(), FlatSymbolRefAttr());
  }
  return success();
}

LogicalResult GraphImporter::createFunction(ModuleOp module) {
  SmallVector<Type> types;
  for (const ValueInfo &input : model.inputs) {
    FailureOr<RankedTensorType> type = inputType(input);
    if (mlir::failed(type))
      return failure();
    types.push_back(*type);
  }
  for (const Parameter &parameter : parameters.parameters())
    types.push_back(parameter.type);
  function = func::FuncOp::create(builder, module.getLoc(), "forward", builder.getFunctionType(types, {}));
  Block *block = function.addEntryBlock();
  unsigned next = 0;
  for (const ValueInfo &input : model.inputs) {
    function.setArgAttr(next, PhantomDialect::kInput, builder.getStringAttr(input.name));
    block->getArgument(next).setLoc(named(input.name));
    table.declaredTypes[input.name] = input.type;
    if (isUnsignedType(input.type)) {
      function.setArgAttr(next, PhantomDialect::kUnsigned, builder.getUnitAttr());
      table.unsignedValues.insert(block->getArgument(next));
    }
    table.values[input.name] = block->getArgument(next++);
  }
  for (const Parameter &parameter : parameters.parameters()) {
    function.setArgAttr(next, PhantomDialect::kParameter,
                        FlatSymbolRefAttr::get(builder.getContext(), parameter.symbol));
    block->getArgument(next).setLoc(named(parameter.tensor->name));
    table.declaredTypes[parameter.tensor->name] = parameter.tensor->type;
    table.values[parameter.tensor->name] = block->getArgument(next++);
  }
  for (const auto &tensor : model.initializers)
    if (!table.values.contains(tensor->name))
      table.constants[tensor->name] = tensor;
  builder.setInsertionPointToEnd(block);
  return success();
}

LogicalResult GraphImporter::importNodes() {
  for (const Node &node : model.nodes) {
    const Operator *op = findOperator(node.domain, node.opType);
    NodeImporter importer(model, node, table, builder, nodeLocation(model, node, *builder.getContext()),
                          options.dataDir);
    if (node.inputs.size() < op->minInputs || node.inputs.size() > op->maxInputs)
      return importer.error() << "has " << node.inputs.size() << " inputs; it takes " << op->minInputs
                              << (op->minInputs == op->maxInputs ? ""
                                                                 : " to " + std::to_string(op->maxInputs));
    FailureOr<bool> folded = foldKnown(importer);
    if (mlir::failed(folded) || (!*folded && mlir::failed(op->importNode(importer))) ||
        mlir::failed(importer.checkAttributesRead()))
      return failure();
  }
  return success();
}

LogicalResult GraphImporter::createReturn(ArrayRef<std::string> outputValues) {
  Location location = modelLocation(model, *builder.getContext());
  if (outputValues.empty())
    return emitError(location) << "the model has no outputs";
  SmallVector<Value> results;
  SmallVector<Type> types;
  for (auto [output, name] : zip(model.outputs, outputValues)) {
    // As the operand of a node, so that constants become values.
    Node node;
    node.name = output.name;
    node.opType = "output";
    node.inputs = {name};
    NodeImporter importer(model, node, table, builder, location, options.dataDir);
    FailureOr<Value> value = importer.anyOperand(0);
    if (mlir::failed(value))
      return failure();
    results.push_back(*value);
    types.push_back(value->getType());
  }
  func::ReturnOp::create(builder, location, results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), types));
  for (auto [i, output] : enumerate(model.outputs))
    function.setResultAttr(i, PhantomDialect::kOutput, builder.getStringAttr(output.name));
  for (auto [i, value] : enumerate(results))
    if (table.unsignedValues.contains(value))
      function.setResultAttr(i, PhantomDialect::kUnsigned, builder.getUnitAttr());
  return success();
}

/// Optional outputs that no node uses, and what only they needed.
void GraphImporter::eraseUnused() {
  for (Operation &op : make_early_inc_range(reverse(function.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

FailureOr<OwningOpRef<ModuleOp>> GraphImporter::run(ArrayRef<std::string> outputValues) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, modelLocation(model, *builder.getContext()));
  (*module)->setAttr(PhantomDialect::kModel, builder.getStringAttr(sys::path::stem(model.path)));
  if (auto opset = model.opsets.find(""); opset != model.opsets.end() && opset->second > kExportOpset)
    (*module)->setAttr(kOpsetAttribute, builder.getI64IntegerAttr(opset->second));
  if (mlir::failed(declareParameters(*module)) || mlir::failed(createFunction(*module)) ||
      mlir::failed(importNodes()) || mlir::failed(createReturn(outputValues)) ||
      mlir::failed(verify(*module)))
    return failure();
  eraseUnused();
  return module;
}

} // namespace

static FailureOr<OwningOpRef<ModuleOp>> importModel(Expected<Model> model, MLIRContext &context,
                                                    const ImportOptions &options) {
  context.loadDialect<PhantomDialect, func::FuncDialect, arith::ArithDialect, math::MathDialect>();
  if (!model)
    return emitError(UnknownLoc::get(&context)) << toString(model.takeError());
  std::vector<std::string> outputValues;
  if (mlir::failed(bindConstants(*model, options, context)) ||
      mlir::failed(inlineFunctions(*model, context)) || mlir::failed(checkOperators(*model, context)) ||
      mlir::failed(normalize(*model, outputValues, options.sharedParameters, context)))
    return failure();
  separateSharedParameters(*model, options.sharedParameters, context);
  FailureOr<ParameterSet> parameters = ParameterSet::create(*model, options, context);
  if (mlir::failed(parameters))
    return failure();
  GraphImporter importer(*model, *parameters, options, context);
  FailureOr<OwningOpRef<ModuleOp>> module = importer.run(outputValues);
  if (mlir::failed(module) || mlir::failed(parameters->write(options, modelLocation(*model, context))))
    return failure();
  return module;
}

FailureOr<OwningOpRef<ModuleOp>> importOnnxModel(StringRef path, MLIRContext &context,
                                                 const ImportOptions &options) {
  return importModel(readModel(path), context, options);
}

FailureOr<OwningOpRef<ModuleOp>> importOnnxModel(std::unique_ptr<MemoryBuffer> file, StringRef path,
                                                 MLIRContext &context, const ImportOptions &options) {
  return importModel(readModel(std::move(file), path), context, options);
}

} // namespace phantom::onnx
