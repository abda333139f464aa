//===- ApplyOptimizer.cpp - Turns gradients into a training step -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMAPPLYOPTIMIZER
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

class ApplyOptimizerPass : public phantom::impl::PhantomApplyOptimizerBase<ApplyOptimizerPass> {
public:
  using PhantomApplyOptimizerBase::PhantomApplyOptimizerBase;
  void runOnOperation() override;

private:
  LogicalResult checkOptions();
  LogicalResult buildTrainStep(func::FuncOp gradients);
  SmallVector<Value> addStates(func::FuncOp function, ParameterOp parameter, Type type);
};

/// What the states of a parameter are called: `fc1.weight.velocity`.
ArrayRef<StringRef> stateNames(OptimizerKind kind) {
  static constexpr StringRef momentum[] = {"velocity"};
  static constexpr StringRef adam[] = {"first_moment", "second_moment"};
  if (kind == OptimizerKind::Momentum)
    return momentum;
  if (kind == OptimizerKind::Adam || kind == OptimizerKind::AdamW)
    return adam;
  return {};
}

LogicalResult ApplyOptimizerPass::checkOptions() {
  auto outside = [&](StringRef name, double value, double below) {
    getOperation().emitError() << name << " is " << value << "; it must be at least 0"
                               << (below == 1 ? " and below 1" : "");
    return failure();
  };
  for (auto [name, value] :
       {std::pair<StringRef, double>("momentum", momentum), {"beta1", beta1}, {"beta2", beta2}})
    if (!(value >= 0 && value < 1))
      return outside(name, value, 1);
  for (auto [name, value] : {std::pair<StringRef, double>("epsilon", epsilon), {"weight-decay", weightDecay}})
    if (!(value >= 0 && std::isfinite(value)))
      return outside(name, value, 0);
  return success();
}

SmallVector<Value> ApplyOptimizerPass::addStates(func::FuncOp function, ParameterOp parameter, Type type) {
  SmallVector<Value> states;
  OpBuilder b(parameter);
  b.setInsertionPointAfter(parameter);
  for (StringRef name : stateNames(kind)) {
    auto zeros = InitAttr::get(&getContext(), InitKind::Zeros, {}, false, 0, 0, false);
    auto state = ParameterOp::create(b, parameter.getLoc(), (parameter.getSymName() + "." + name).str(),
                                     parameter.getType(), parameter.getLayoutAttr(), zeros,
                                     /*trainable=*/false, FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
    auto symbol = FlatSymbolRefAttr::get(state.getSymNameAttr());
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, type,
                                  b.getDictionaryAttr(b.getNamedAttr(PhantomDialect::kParameter, symbol)),
                                  parameter.getLoc());
    states.push_back(function.getArgument(index));
  }
  return states;
}

/// The sum of squares of the gradients that all ranks hold, or of the others; null where there are none.
Value squaredNorm(OpBuilder &b, Location loc, ArrayRef<Value> gradients, bool replicated) {
  // Each sum has a buffer of its own: a chain of accumulations in one would make bufferization cubic in its
  // length.
  Value norm;
  for (Value gradient : gradients) {
    if (isReplicated(gradient.getType()) != replicated)
      continue;
    Value own = SquaredNormOp::create(b, loc, RankedTensorType::get({}, b.getF64Type()), gradient);
    norm = norm ? Value(arith::AddFOp::create(b, loc, norm, own)) : own;
  }
  return norm;
}

LogicalResult ApplyOptimizerPass::buildTrainStep(func::FuncOp gradients) {
  MLIRContext *context = &getContext();
  OpBuilder b(context);
  b.setInsertionPointToEnd(getOperation().getBody());
  auto function = cast<func::FuncOp>(b.clone(*gradients));
  function.setName("train_step");
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> values(terminator->getOperands());
  SmallVector<DictionaryAttr> valueAttrs;
  gradients.getAllResultAttrs(valueAttrs);
  terminator->erase();

  unsigned target = 0;
  while (target < function.getNumArguments() && !function.getArgAttr(target, PhantomDialect::kTarget))
    ++target;
  Type element = cast<RankedTensorType>(values[0].getType()).getElementType();
  auto addScalar = [&](unsigned index, StringRef name, Type type) -> Value {
    (void)function.insertArgument(
        index, RankedTensorType::get({}, type),
        b.getDictionaryAttr(b.getNamedAttr(PhantomDialect::kScalar, b.getStringAttr(name))),
        function.getLoc());
    return function.getArgument(index);
  };
  Value learningRate = addScalar(target + 1, "learning_rate", element);
  Value step = addScalar(target + 2, "step", b.getI64Type());

  SmallVector<std::pair<BlockArgument, ParameterOp>> parameters;
  for (BlockArgument argument : function.getArguments())
    if (ParameterOp parameter = getParameter(argument); parameter && parameter.getTrainable())
      parameters.push_back({argument, parameter});

  auto attr = [&](StringRef name, Attribute value) {
    return b.getDictionaryAttr(b.getNamedAttr(name, value));
  };
  b.setInsertionPointToEnd(&function.getBody().front());
  SmallVector<Value> results{values[0]}, updates;
  SmallVector<DictionaryAttr> attrs{valueAttrs[0]}, updateAttrs;
  const ArrayRef<Value> gradientValues = ArrayRef(values).drop_front();
  for (auto [entry, gradient] : llvm::zip(parameters, gradientValues)) {
    auto [argument, parameter] = entry;
    SmallVector<Value> states = addStates(function, parameter, argument.getType());
    SmallVector<Type> types(states.size() + 1, argument.getType());
    auto update = UpdateOp::create(
        b, parameter.getLoc(), types, OptimizerKindAttr::get(context, kind), argument, gradient, states,
        learningRate, step, b.getF64FloatAttr(momentum), b.getF64FloatAttr(beta1), b.getF64FloatAttr(beta2),
        b.getF64FloatAttr(epsilon), b.getF64FloatAttr(weightDecay));
    auto updated = [&](Value source, Value result) {
      updateAttrs.push_back(
          attr(PhantomDialect::kUpdated,
               function.getArgAttr(cast<BlockArgument>(source).getArgNumber(), PhantomDialect::kParameter)));
      updates.push_back(result);
    };
    updated(argument, update.getUpdated());
    for (auto [state, result] : llvm::zip(states, update.getUpdatedStates()))
      updated(state, result);
  }
  for (bool replicated : {false, true})
    if (Value norm = squaredNorm(b, function.getLoc(), gradientValues, replicated)) {
      results.push_back(norm);
      attrs.push_back(attr(PhantomDialect::kSquaredNorm, b.getStringAttr(replicated ? "replicated" : "own")));
    }
  llvm::append_range(results, updates);
  llvm::append_range(attrs, updateAttrs);
  func::ReturnOp::create(b, function.getLoc(), results);
  function.setFunctionType(
      FunctionType::get(context, function.getArgumentTypes(), ValueRange(results).getTypes()));
  function.setAllResultAttrs(attrs);
  return success();
}

void ApplyOptimizerPass::runOnOperation() {
  ModuleOp module = getOperation();
  if (failed(checkOptions()))
    return signalPassFailure();
  auto gradients = module.lookupSymbol<func::FuncOp>("gradients");
  if (!gradients || gradients.isExternal()) {
    module.emitError("the module has no @gradients: run phantom-differentiate first");
    return signalPassFailure();
  }
  if (module.lookupSymbol("train_step")) {
    module.emitError("the module has @train_step already");
    return signalPassFailure();
  }
  if (failed(buildTrainStep(gradients)))
    signalPassFailure();
}

} // namespace
