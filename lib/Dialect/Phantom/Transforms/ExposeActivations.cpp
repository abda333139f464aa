//===- ExposeActivations.cpp - Makes the inputs of layers a function's results ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/ExposeActivations.h"

#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMEXPOSEACTIVATIONS
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

/// The uses of the layer whose weight has this layer name.
static SmallVector<LinearOp> usesOf(func::FuncOp forward, StringRef layer) {
  SmallVector<LinearOp> uses;
  forward.walk([&](LinearOp op) {
    ParameterOp weight = getParameter(op.getWeight());
    if (weight && getLayerName(weight.getSymName()) == layer)
      uses.push_back(op);
  });
  return uses;
}

/// The bias of all uses, where nothing else uses it.
static ParameterOp ownBias(MutableArrayRef<LinearOp> uses) {
  Value bias = uses.front().getBias();
  if (!bias || llvm::any_of(uses, [&](LinearOp op) { return op.getBias() != bias; }))
    return {};
  int64_t count = std::distance(bias.use_begin(), bias.use_end());
  return count == static_cast<int64_t>(uses.size()) ? getParameter(bias) : ParameterOp();
}

namespace {

/// The values that become results, and their names.
using Results = llvm::MapVector<Value, std::string>;

FailureOr<ExposedLayer> exposeLayer(func::FuncOp forward, StringRef name, Results &results) {
  SmallVector<LinearOp> uses = usesOf(forward, name);
  std::optional<LayerPart> part = uses.empty() ? getLayerPart(name) : std::nullopt;
  if (part)
    uses = usesOf(forward, part->layer);
  if (uses.empty())
    return forward.emitError() << "there is no linear layer '" << name << "' in @" << forward.getName();
  if (llvm::any_of(uses, [&](LinearOp op) { return op.getWeight() != uses.front().getWeight(); }))
    return forward.emitError() << "several weights in @" << forward.getName() << " are of a layer '" << name
                               << "'; give their parameters names that differ before the last dot";

  ExposedLayer layer{name.str(), {}, {}};
  for (auto [number, op] : llvm::enumerate(uses)) {
    std::string output = number == 0 ? name.str() : (name + "#" + Twine(number + 1)).str();
    layer.outputs.push_back(results.try_emplace(op.getInput(), output).first->second);
  }
  if (ParameterOp bias = ownBias(uses))
    layer.bias = part ? getPartName(bias.getSymName(), part->number, "bias") : bias.getSymName().str();
  return layer;
}

class ExposeActivationsPass : public phantom::impl::PhantomExposeActivationsBase<ExposeActivationsPass> {
public:
  using PhantomExposeActivationsBase::PhantomExposeActivationsBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> forward = getForwardFunction(getOperation());
    if (failed(forward) || failed(exposeActivations(*forward, llvm::to_vector(layers))))
      signalPassFailure();
  }
};

} // namespace

FailureOr<std::vector<ExposedLayer>> phantom::exposeActivations(func::FuncOp forward,
                                                                ArrayRef<std::string> names) {
  std::vector<ExposedLayer> layers;
  Results results;
  for (const std::string &name : names) {
    FailureOr<ExposedLayer> layer = exposeLayer(forward, name, results);
    if (failed(layer))
      return failure();
    layers.push_back(std::move(*layer));
  }
  Builder builder(forward.getContext());
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<Attribute> attributes;
  for (auto &[value, name] : results) {
    values.push_back(value);
    types.push_back(value.getType());
    attributes.push_back(builder.getDictionaryAttr(
        builder.getNamedAttr(PhantomDialect::kOutput, builder.getStringAttr(name))));
  }
  forward.getBody().front().getTerminator()->setOperands(values);
  forward.setFunctionType(builder.getFunctionType(forward.getArgumentTypes(), types));
  forward.setResAttrsAttr(builder.getArrayAttr(attributes));
  return layers;
}
