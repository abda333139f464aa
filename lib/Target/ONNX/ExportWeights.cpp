//===- ExportWeights.cpp - Where exported weights come from --- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportWeights.h"

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Path.h"

#include <numeric>

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

/// The parts of the parameter that a packed layer was taken apart into, along `dim`; it itself where there
/// are none.
std::vector<WeightPlan::Trained> WeightPlan::findParts(ParameterOp declaration, int64_t dim) const {
  ArrayRef<int64_t> dims = dimsOf(declaration);
  Trained whole{declaration.getSymName().str(), dims.vec(), std::nullopt, {}};
  if (!options.trained || options.trained->shape(whole.name) || dims.empty() || dims.size() > 2)
    return {whole};
  std::vector<Trained> parts;
  while (true) {
    Trained part = whole;
    part.name = mlir::phantom::getPartName(whole.name, parts.size(), dims.size() == 2 ? "weight" : "bias");
    auto dense = options.trained->shape(part.name);
    auto local = options.trained->shape((mlir::phantom::getLayerName(part.name) + ".local").str());
    if (dense && dense->size() == dims.size())
      part.dims[dim] = (*dense)[dim];
    else if (dims.size() == 2 && local && local->size() == 3)
      part.dims[dim] = product((*local)[0], (*local)[1]).value_or(-1);
    else
      return parts.empty() ? std::vector<Trained>{whole} : parts;
    parts.push_back(std::move(part));
  }
}

/// Looks for the factors of a phantom layer in the trained parameters; checks their shapes.
LogicalResult WeightPlan::findFactors(ParameterOp declaration, std::optional<bool> transposed,
                                      Trained &trained) const {
  if (!options.trained || trained.dims.size() != 2)
    return success();
  LayerFactors factors;
  factors.layer = mlir::phantom::getLayerName(trained.name).str();
  auto shapeOf = [&](StringRef part) { return options.trained->shape((factors.layer + "." + part).str()); };
  auto local = shapeOf("local"), compressor = shapeOf("compressor"), decompressor = shapeOf("decompressor");
  if (!local)
    return success();
  auto refuse = [&](const Twine &what) {
    return declaration.emitError() << "parameter '" << declaration.getSymName() << "': '" << factors.layer
                                   << ".local' and its factors in " << options.trained->description() << " "
                                   << what.str();
  };
  if (!transposed)
    return refuse("are those of a linear layer, but the model has none with this weight");
  if (local->size() != 3)
    return refuse("have the wrong rank");
  factors.ranks = (*local)[0];
  factors.out = (*local)[1];
  factors.in = (*local)[2];
  if (product(factors.ranks, factors.out) != trained.dims[*transposed ? 1 : 0] ||
      product(factors.ranks, factors.in) != trained.dims[*transposed ? 0 : 1])
    return refuse("are for " + rt::shapeText(*local) + " blocks, but the weight is " +
                  rt::shapeText(trained.dims));
  if (compressor || decompressor) {
    factors.ghosts = compressor && compressor->size() == 3 ? (*compressor)[1] : -1;
    if (!compressor || *compressor != std::vector<int64_t>{factors.ranks, factors.ghosts, factors.in} ||
        !decompressor ||
        *decompressor != std::vector<int64_t>{factors.ranks, factors.ranks, factors.ghosts, factors.out})
      return refuse("do not fit each other");
  }
  trained.values = composeDense(factors, *transposed);
  trained.factors = std::move(factors);
  return success();
}

/// The values that the model came with.
LogicalResult WeightPlan::findSource(ParameterOp declaration, Trained &trained) const {
  mlir::phantom::InitAttr init = declaration.getInit();
  mlir::phantom::SourceAttr attribute = init.getSource();
  if (init.getKind() != InitKind::Load || !attribute)
    return declaration.emitError() << "parameter '" << trained.name
                                   << "' has no values before training; give those of a run with --weights";
  rt::Source source{attribute.getFile().str(),
                    attribute.getTensor().str(),
                    attribute.getOffset(),
                    attribute.getLength(),
                    {},
                    std::nullopt};
  source.type.element =
      attribute.getType().getElementType().isF64() ? rt::ElementType::F64 : rt::ElementType::F32;
  source.type.shape = attribute.getType().getShape().vec();
  if (ArrayRef<int64_t> part = attribute.getPart(); !part.empty())
    source.part = rt::TensorPart{part[0], part[1], part[2]};
  if (mlir::ShapedType::getNumElements(attribute.getShape()) !=
      mlir::ShapedType::getNumElements(trained.dims))
    return declaration.emitError() << "parameter '" << trained.name << "' has shape "
                                   << rt::shapeText(trained.dims) << ", but its source "
                                   << rt::shapeText(attribute.getShape());
  if (sys::path::is_relative(source.file)) {
    SmallString<128> path(options.baseDir);
    sys::path::append(path, source.file);
    source.file = path.str().str();
  }
  trained.values = copySource(std::move(source));
  return success();
}

/// The values of a dense parameter, or of a part of one.
LogicalResult WeightPlan::findValues(ParameterOp declaration, Trained &trained) const {
  if (options.trained) {
    if (auto shape = options.trained->shape(trained.name)) {
      if (*shape != trained.dims)
        return declaration.emitError()
               << "parameter '" << trained.name << "' has shape " << rt::shapeText(trained.dims) << ", but "
               << rt::shapeText(*shape) << " in " << options.trained->description();
      trained.values = copyTrained(trained.name);
      return success();
    }
    // What is frozen may be the model's own.
    if (declaration.getTrainable())
      return declaration.emitError() << "parameter '" << trained.name << "' is not in "
                                     << options.trained->description();
  }
  return findSource(declaration, trained);
}

LogicalResult WeightPlan::findTrained(ParameterOp declaration, std::optional<bool> transposed,
                                      Trained &trained) const {
  if (mlir::failed(findFactors(declaration, transposed, trained)))
    return failure();
  return trained.factors ? success() : findValues(declaration, trained);
}

LogicalResult WeightPlan::addParameter(ParameterOp declaration, Value argument, StringRef name) {
  if (!cast<mlir::RankedTensorType>(declaration.getType()).getElementType().isF32())
    return declaration.emitError() << "parameter '" << declaration.getSymName() << "' of type "
                                   << declaration.getType() << " cannot be exported to ONNX: only f32 can";
  graph.bind(argument, name);
  ArrayRef<int64_t> dims = dimsOf(declaration);
  std::optional<bool> transposed = isInputMajor(argument);
  const int64_t dim = dims.size() == 2 && transposed.value_or(false) ? 1 : 0;
  std::vector<Trained> parts = findParts(declaration, dim);
  std::vector<WeightRecipe> recipes;
  std::vector<int64_t> counts;
  for (Trained &part : parts) {
    if (mlir::failed(findTrained(declaration, transposed, part)))
      return failure();
    phantomLayers += part.factors.has_value();
    recipes.push_back(part.values);
    counts.push_back(dims.empty() ? 1 : part.dims[dim]);
  }
  if (parts.size() > 1 && std::accumulate(counts.begin(), counts.end(), int64_t(0)) != dims[dim])
    return declaration.emitError() << "parameter '" << declaration.getSymName() << "' has shape "
                                   << rt::shapeText(dims) << ", but its parts in "
                                   << options.trained->description() << " do not make that up";
  // Other uses than as a layer's weight want it whole.
  bool dense = options.form == ExportForm::Dense ||
               any_of(parts, [](const Trained &part) { return !part.factors; }) ||
               any_of(argument.getUses(), [](mlir::OpOperand &use) {
                 return !isa<LinearOp>(use.getOwner()) || use.getOperandNumber() != 1;
               });
  if (options.form == ExportForm::Factored && all_of(parts, [](const Trained &part) { return part.factors; }))
    for (const Trained &part : parts)
      factored[argument].push_back({*part.factors, {}, {}});
  if (dense)
    addInitializer(name, dims,
                   parts.size() == 1 ? std::move(recipes[0])
                                     : joinParts(std::move(recipes), dims.vec(), dim, std::move(counts)));
  return success();
}

ArrayRef<WeightPlan::RankTensors> WeightPlan::rankTensors(Value weight) {
  auto found = factored.find(weight);
  if (found == factored.end())
    return {};
  for (RankTensors &tensors : found->second) {
    const LayerFactors &factors = tensors.factors;
    if (!tensors.weights.empty())
      break;
    for (int64_t rank = 0; rank < factors.ranks; ++rank) {
      std::string prefix = factors.layer + ".rank" + std::to_string(rank);
      if (factors.ghosts) {
        tensors.compressors.push_back(graph.uniqueTensor(prefix + ".compressor"));
        addInitializer(tensors.compressors.back(), {factors.in, factors.ghosts},
                       rankCompressor(factors, rank));
      }
      tensors.weights.push_back(graph.uniqueTensor(prefix + ".weight"));
      addInitializer(tensors.weights.back(), {factors.in + (factors.ranks - 1) * factors.ghosts, factors.out},
                     rankWeight(factors, rank));
    }
  }
  return found->second;
}

} // namespace phantom::onnx
