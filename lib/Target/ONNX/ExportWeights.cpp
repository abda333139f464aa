//===- ExportWeights.cpp - Where exported weights come from --- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportWeights.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using mlir::failure;
using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::success;
using mlir::Value;
using mlir::phantom::InitKind;
using mlir::phantom::LinearOp;
using mlir::phantom::ParameterOp;
using mlir::phantom::TransposeOp;

namespace phantom::onnx {

static ArrayRef<int64_t> dimsOf(ParameterOp declaration) {
  return cast<mlir::RankedTensorType>(declaration.getType()).getShape();
}

/// "fc1" of "fc1.weight", as `phantom-partition` names layers.
static StringRef layerName(StringRef weight) {
  size_t dot = weight.rfind('.');
  return dot == StringRef::npos ? weight : weight.take_front(dot);
}

/// Whether the linear layers that use the weight have it as [n_in, n_out]; nothing if none does.
static std::optional<bool> isInputMajor(Value weight) {
  for (mlir::OpOperand &use : weight.getUses()) {
    if (auto linear = dyn_cast<LinearOp>(use.getOwner()); linear && use.getOperandNumber() == 1)
      return linear.getIo();
    if (auto transpose = dyn_cast<TransposeOp>(use.getOwner()))
      if (std::optional<bool> turned = isInputMajor(transpose.getOutput()))
        return transpose.getPermutation()[0] == 0 ? *turned : !*turned;
  }
  return std::nullopt;
}

static std::optional<int64_t> product(int64_t a, int64_t b) {
  int64_t result = 0;
  return MulOverflow(a, b, result) ? std::nullopt : std::optional(result);
}

/// The factors of the layer in the trained parameters, if they have any; checks their shapes.
FailureOr<std::optional<LayerFactors>> WeightPlan::findFactors(ParameterOp declaration, Value argument,
                                                               bool &transposed) const {
  if (!options.trained || dimsOf(declaration).size() != 2)
    return std::optional<LayerFactors>();
  LayerFactors factors;
  factors.layer = layerName(declaration.getSymName()).str();
  auto shapeOf = [&](StringRef part) { return options.trained->shape((factors.layer + "." + part).str()); };
  auto local = shapeOf("local"), compressor = shapeOf("compressor"), decompressor = shapeOf("decompressor");
  if (!local)
    return std::optional<LayerFactors>();
  std::optional<bool> inputMajor = isInputMajor(argument);
  auto refuse = [&](const Twine &what) {
    return declaration.emitError() << "parameter '" << declaration.getSymName() << "': '" << factors.layer
                                   << ".local' and its factors in " << options.trained->description() << " "
                                   << what.str();
  };
  if (!inputMajor)
    return refuse("are those of a linear layer, but the model has none with this weight");
  transposed = *inputMajor;
  if (local->size() != 3)
    return refuse("have the wrong rank");
  factors.ranks = (*local)[0];
  factors.out = (*local)[1];
  factors.in = (*local)[2];
  ArrayRef<int64_t> dims = dimsOf(declaration);
  if (product(factors.ranks, factors.out) != dims[transposed ? 1 : 0] ||
      product(factors.ranks, factors.in) != dims[transposed ? 0 : 1])
    return refuse("are for " + rt::shapeText(*local) + " blocks, but the weight is " + rt::shapeText(dims));
  if (compressor || decompressor) {
    factors.ghosts = compressor && compressor->size() == 3 ? (*compressor)[1] : -1;
    if (!compressor || *compressor != std::vector<int64_t>{factors.ranks, factors.ghosts, factors.in} ||
        !decompressor ||
        *decompressor != std::vector<int64_t>{factors.ranks, factors.ranks, factors.ghosts, factors.out})
      return refuse("do not fit each other");
  }
  return std::optional(factors);
}

/// The values of a dense parameter.
FailureOr<WeightRecipe> WeightPlan::findValues(ParameterOp declaration) {
  std::string name = declaration.getSymName().str();
  ArrayRef<int64_t> dims = dimsOf(declaration);
  if (options.trained) {
    if (auto shape = options.trained->shape(name)) {
      if (ArrayRef<int64_t>(*shape) != dims)
        return declaration.emitError()
               << "parameter '" << name << "' has shape " << rt::shapeText(dims) << ", but "
               << rt::shapeText(*shape) << " in " << options.trained->description();
      return copyTrained(name);
    }
    // What is frozen may be the model's own.
    if (declaration.getTrainable())
      return declaration.emitError() << "parameter '" << name << "' is not in "
                                     << options.trained->description();
  }
  mlir::phantom::InitAttr init = declaration.getInit();
  mlir::phantom::SourceAttr attribute = init.getSource();
  if (init.getKind() != InitKind::Load || !attribute)
    return declaration.emitError() << "parameter '" << name
                                   << "' has no values before training; give those of a run with --weights";
  rt::Source source{attribute.getFile().str(),
                    attribute.getTensor().str(),
                    attribute.getOffset(),
                    attribute.getLength(),
                    {}};
  source.type.element =
      attribute.getType().getElementType().isF64() ? rt::ElementType::F64 : rt::ElementType::F32;
  source.type.shape = attribute.getType().getShape().vec();
  if (attribute.getType().getNumElements() != mlir::ShapedType::getNumElements(dims))
    return declaration.emitError() << "parameter '" << name << "' has shape " << rt::shapeText(dims)
                                   << ", but its source " << rt::shapeText(source.type.shape);
  if (sys::path::is_relative(source.file)) {
    SmallString<128> path(options.baseDir);
    sys::path::append(path, source.file);
    source.file = path.str().str();
  }
  return copySource(std::move(source));
}

LogicalResult WeightPlan::addParameter(ParameterOp declaration, Value argument, StringRef name) {
  if (!cast<mlir::RankedTensorType>(declaration.getType()).getElementType().isF32())
    return declaration.emitError() << "parameter '" << declaration.getSymName() << "' of type "
                                   << declaration.getType() << " cannot be exported to ONNX: only f32 can";
  graph.bind(argument, name);
  bool transposed = false;
  FailureOr<std::optional<LayerFactors>> factors = findFactors(declaration, argument, transposed);
  if (mlir::failed(factors))
    return failure();
  if (!*factors) {
    FailureOr<WeightRecipe> recipe = findValues(declaration);
    if (mlir::failed(recipe))
      return failure();
    addInitializer(name, dimsOf(declaration), std::move(*recipe));
    return success();
  }
  ++phantomLayers;
  bool dense = options.form == ExportForm::Dense;
  if (!dense)
    factored[argument].factors = **factors;
  // Other uses than as a layer's weight want it whole.
  dense |= any_of(argument.getUses(), [](mlir::OpOperand &use) {
    return !isa<LinearOp>(use.getOwner()) || use.getOperandNumber() != 1;
  });
  if (dense)
    addInitializer(name, dimsOf(declaration), composeDense(std::move(**factors), transposed));
  return success();
}

const WeightPlan::RankTensors *WeightPlan::rankTensors(Value weight) {
  auto found = factored.find(weight);
  if (found == factored.end())
    return nullptr;
  RankTensors &tensors = found->second;
  const LayerFactors &factors = tensors.factors;
  if (!tensors.weights.empty())
    return &tensors;
  for (int64_t rank = 0; rank < factors.ranks; ++rank) {
    std::string prefix = factors.layer + ".rank" + std::to_string(rank);
    if (factors.ghosts) {
      tensors.compressors.push_back(graph.uniqueTensor(prefix + ".compressor"));
      addInitializer(tensors.compressors.back(), {factors.in, factors.ghosts}, rankCompressor(factors, rank));
    }
    tensors.weights.push_back(graph.uniqueTensor(prefix + ".weight"));
    addInitializer(tensors.weights.back(), {factors.in + (factors.ranks - 1) * factors.ghosts, factors.out},
                   rankWeight(factors, rank));
  }
  return &tensors;
}

} // namespace phantom::onnx
