//===- ApplyOptimizer.cpp - Turns gradients into a training step -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FunctionBuilding.h"
#include "ValuesByName.h"
#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMAPPLYOPTIMIZER
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

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

constexpr StringLiteral kGradientSum = "gradient_sum"; ///< that of accumulation

std::string stateName(ParameterOp parameter, StringRef name) {
  return (parameter.getSymName() + "." + name).str();
}

/// Declares `name`, which starts at zero and belongs to `parameter`.
ParameterOp declareState(ParameterOp parameter, StringRef name) {
  // Behind the states that the parameter has already.
  Operation *last = parameter;
  const auto symbol = FlatSymbolRefAttr::get(parameter.getSymNameAttr());
  for (auto next = dyn_cast_or_null<ParameterOp>(last->getNextNode());
       next && next.getStateOfAttr() == symbol; next = dyn_cast_or_null<ParameterOp>(last->getNextNode()))
    last = next;
  OpBuilder b(parameter);
  b.setInsertionPointAfter(last);
  auto zeros = InitAttr::get(b.getContext(), InitKind::Zeros, {}, false, 0, 0, false);
  return ParameterOp::create(b, parameter.getLoc(), stateName(parameter, name), parameter.getType(),
                             parameter.getLayoutAttr(), zeros,
                             /*trainable=*/false, symbol);
}

/// A function under construction: arguments may be added, and results with what they are.
class Step {
public:
  explicit Step(func::FuncOp function)
      : function(function), b(OpBuilder::atBlockEnd(&function.getBody().front())) {}

  Value addParameter(ParameterOp parameter, Type type) {
    return insertArgument(function, function.getNumArguments(), type, PhantomDialect::kParameter,
                          FlatSymbolRefAttr::get(parameter.getSymNameAttr()));
  }
  /// The scalar argument `name`, which is inserted behind the data if it is not there.
  Value getScalar(StringRef name, Type type);

  void addResult(Value value, DictionaryAttr attributes) {
    results.push_back(value);
    attrs.push_back(attributes);
  }
  void addResult(Value value, StringRef attribute, Attribute what) {
    addResult(value, b.getDictionaryAttr(b.getNamedAttr(attribute, what)));
  }
  /// `value` takes the place of the argument `parameter`.
  void addUpdated(Value parameter, Value value) {
    addResult(value, PhantomDialect::kUpdated,
              function.getArgAttr(cast<BlockArgument>(parameter).getArgNumber(), PhantomDialect::kParameter));
  }
  /// Returns the results, those of parameters last.
  void finish();

  func::FuncOp function;
  OpBuilder b;

private:
  SmallVector<Value> results;
  SmallVector<DictionaryAttr> attrs;
};

Value Step::getScalar(StringRef name, Type type) {
  unsigned index = 0;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto scalar = function.getArgAttrOfType<StringAttr>(i, PhantomDialect::kScalar);
    if (scalar && scalar.getValue() == name)
      return function.getArgument(i);
    if (!function.getArgAttr(i, PhantomDialect::kParameter))
      index = i + 1;
  }
  return insertArgument(function, index, RankedTensorType::get({}, type), PhantomDialect::kScalar,
                        b.getStringAttr(name));
}

void Step::finish() {
  SmallVector<unsigned> order;
  for (bool updated : {false, true})
    for (unsigned i = 0; i < results.size(); ++i)
      if (static_cast<bool>(attrs[i].get(PhantomDialect::kUpdated)) == updated)
        order.push_back(i);
  auto ordered = llvm::map_to_vector(order, [&](unsigned i) { return results[i]; });
  auto orderedAttrs = llvm::map_to_vector(order, [&](unsigned i) { return attrs[i]; });
  close(function, ordered, orderedAttrs);
}

/// A parameter of a step, with the gradient that updates it.
struct Trained {
  ParameterOp parameter;
  Value argument, gradient;
};

/// A copy of `gradients` without its return: the loss comes first, then what is trained.
struct Copy {
  func::FuncOp function;
  Value loss;
  SmallVector<Trained> trained;
};

Copy copyGradients(func::FuncOp gradients, StringRef name) {
  auto [function, values] = copyOpen(gradients, name);
  Copy copy{function, values.front(), {}};
  for (BlockArgument argument : function.getArguments())
    if (ParameterOp parameter = getParameter(argument); parameter && parameter.getTrainable())
      copy.trained.push_back({parameter, argument, values[1 + copy.trained.size()]});
  return copy;
}

class ApplyOptimizerPass : public phantom::impl::PhantomApplyOptimizerBase<ApplyOptimizerPass> {
public:
  using PhantomApplyOptimizerBase::PhantomApplyOptimizerBase;
  void runOnOperation() override;

private:
  LogicalResult checkOptions();
  LogicalResult parseGroups();
  LogicalResult checkStateNames();
  void buildTrainStep(func::FuncOp gradients);
  void buildAccumulatedStep(func::FuncOp gradients);
  void addUpdates(Step &step, ArrayRef<Trained> trained, Type element);
  void addUpdate(Step &step, const Trained &trained, Value learningRate, Value count, Value scale);
  Value addNorms(Step &step, ArrayRef<Trained> trained, Type element);
  Value clippingFactor(OpBuilder &b, Location loc, Value own, Value replicated);

  std::optional<ValuesByName> rateFactors, decays;
};

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
  for (auto [name, value] : {std::pair<StringRef, double>("epsilon", epsilon),
                             {"weight-decay", weightDecay},
                             {"clip-norm", clipNorm}})
    if (!(value >= 0 && std::isfinite(value)))
      return outside(name, value, 0);
  if (accumulate < 1)
    return getOperation().emitError()
           << "accumulate is " << accumulate.getValue() << "; it must be at least 1";
  return parseGroups();
}

LogicalResult ApplyOptimizerPass::parseGroups() {
  FailureOr<ValuesByName> factors =
      ValuesByName::parse(getOperation(), "learning-rate-factors", learningRateFactors);
  if (failed(factors))
    return failure();
  rateFactors = std::move(*factors);
  FailureOr<ValuesByName> ofDecay = ValuesByName::parse(getOperation(), "weight-decays", weightDecays);
  if (failed(ofDecay))
    return failure();
  decays = std::move(*ofDecay);
  return success();
}

LogicalResult ApplyOptimizerPass::checkStateNames() {
  SmallVector<StringRef> states(stateNames(kind));
  if (accumulate > 1)
    states.push_back(kGradientSum);
  const SymbolTable symbols(getOperation());
  for (auto parameter : getOperation().getOps<ParameterOp>()) {
    if (!parameter.getTrainable())
      continue;
    for (StringRef state : states)
      if (Operation *taken = symbols.lookup(stateName(parameter, state)))
        return taken->emitError() << "'" << SymbolTable::getSymbolName(taken).getValue()
                                  << "' is the name of the optimizer's state for the parameter '"
                                  << parameter.getSymName() << "': rename one of them in the model";
  }
  return success();
}

/// The sum of squares of the gradients that all ranks hold, or of the others; null where there are none.
Value squaredNorm(OpBuilder &b, Location loc, ArrayRef<Trained> trained, bool replicated) {
  // Each sum has a buffer of its own: a chain of accumulations in one would make bufferization cubic in its
  // length.
  Value norm;
  for (const Trained &one : trained) {
    StateAttr state = getState(one.gradient.getType());
    if (!state != replicated)
      continue;
    auto type = RankedTensorType::get({}, b.getF64Type());
    if (state)
      type = withState(type, StateAttr::get(b.getContext(), state.getAxis(), StateKind::Partial, 0));
    Value own = SquaredNormOp::create(b, loc, type, one.gradient);
    norm = norm ? Value(arith::AddFOp::create(b, loc, norm, own)) : own;
  }
  return norm;
}

Value constantF64(OpBuilder &b, Location loc, double value) {
  auto type = RankedTensorType::get({}, b.getF64Type());
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, value));
}

/// min(1, c/(|g| + 1e-6)) as PyTorch has it, from the squared norm on this rank and that of what all have.
Value ApplyOptimizerPass::clippingFactor(OpBuilder &b, Location loc, Value own, Value replicated) {
  Value sum = replicated;
  if (own) {
    StateAttr state = getState(own.getType());
    auto type = withState(cast<RankedTensorType>(own.getType()), StateAttr());
    auto mesh = *getOperation().getOps<MeshOp>().begin();
    Value reduced = AllReduceOp::create(b, loc, type, own, FlatSymbolRefAttr::get(mesh.getSymNameAttr()),
                                        b.getStringAttr(state.getAxis()));
    sum = sum ? Value(arith::AddFOp::create(b, loc, reduced, sum)) : reduced;
  }
  Value norm = math::SqrtOp::create(b, loc, sum);
  Value padded = arith::AddFOp::create(b, loc, norm, constantF64(b, loc, 1e-6));
  Value factor = arith::DivFOp::create(b, loc, constantF64(b, loc, clipNorm), padded);
  return arith::MinimumFOp::create(b, loc, factor, constantF64(b, loc, 1));
}

/// Returns the squared norms from the step. The result is what gradients are to be multiplied by; null where
/// that is 1.
Value ApplyOptimizerPass::addNorms(Step &step, ArrayRef<Trained> trained, Type element) {
  OpBuilder &b = step.b;
  Location loc = step.function.getLoc();
  Value own = squaredNorm(b, loc, trained, false), replicated = squaredNorm(b, loc, trained, true);
  for (auto [norm, kind] : {std::pair(own, "own"), std::pair(replicated, "replicated")})
    if (norm)
      step.addResult(norm, PhantomDialect::kSquaredNorm, b.getStringAttr(kind));
  if (clipNorm == 0 || (!own && !replicated))
    return {};
  return CastOp::create(b, loc, RankedTensorType::get({}, element), clippingFactor(b, loc, own, replicated));
}

void ApplyOptimizerPass::addUpdate(Step &step, const Trained &trained, Value learningRate, Value count,
                                   Value scale) {
  OpBuilder &b = step.b;
  const Type type = trained.argument.getType();
  const StringRef name = ParameterOp(trained.parameter).getSymName();
  SmallVector<Value> states;
  for (StringRef state : stateNames(kind))
    states.push_back(step.addParameter(declareState(trained.parameter, state), type));
  SmallVector<Type> others(states.size() + (accumulate > 1), type);
  auto update = UpdateOp::create(
      b, ParameterOp(trained.parameter).getLoc(), type, others, OptimizerKindAttr::get(&getContext(), kind),
      trained.argument, trained.gradient, states, learningRate, count, scale, b.getF64FloatAttr(momentum),
      b.getF64FloatAttr(beta1), b.getF64FloatAttr(beta2), b.getF64FloatAttr(epsilon),
      b.getF64FloatAttr(decays->lookup(name, weightDecay)), b.getF64FloatAttr(rateFactors->lookup(name, 1)),
      accumulate > 1 ? b.getUnitAttr() : UnitAttr());
  step.addUpdated(trained.argument, update.getUpdated());
  for (auto [state, result] : llvm::zip(states, update.getUpdatedStates()))
    step.addUpdated(state, result);
  if (accumulate > 1)
    step.addUpdated(trained.gradient, update.getOthers().back());
}

void ApplyOptimizerPass::addUpdates(Step &step, ArrayRef<Trained> trained, Type element) {
  Value learningRate = step.getScalar("learning_rate", element);
  Value count = step.getScalar("step", step.b.getI64Type());
  // Behind the updates where they clear no gradients: one loop may then make an update and its norm.
  const bool normsFirst = clipNorm > 0 || accumulate > 1;
  Value scale = normsFirst ? addNorms(step, trained, element) : Value();
  for (const Trained &one : trained)
    addUpdate(step, one, learningRate, count, scale);
  if (!normsFirst)
    addNorms(step, trained, element);
  rateFactors->warnOfUnused(getOperation());
  decays->warnOfUnused(getOperation());
}

void ApplyOptimizerPass::buildTrainStep(func::FuncOp gradients) {
  Copy copy = copyGradients(gradients, "train_step");
  Step step(copy.function);
  step.addResult(copy.loss, gradients.getResultAttrDict(0));
  addUpdates(step, copy.trained, cast<RankedTensorType>(copy.loss.getType()).getElementType());
  step.finish();
}

/// Divides the seed of the gradients by the number of parts, whose gradients then sum up to the mean.
void divideSeed(Copy &copy, int64_t parts) {
  for (auto seed : copy.function.getOps<LossGradientOp>()) {
    OpBuilder b(seed);
    b.setInsertionPointAfter(seed);
    auto type = cast<RankedTensorType>(seed.getType());
    auto part = FloatAttr::get(type.getElementType(), 1.0 / static_cast<double>(parts));
    Value factor = arith::ConstantOp::create(b, seed.getLoc(), DenseElementsAttr::get(type, part.getValue()));
    auto divided = arith::MulFOp::create(b, seed.getLoc(), seed, factor);
    seed.getResult().replaceAllUsesExcept(divided, divided);
    for (Trained &one : copy.trained)
      if (one.gradient == seed.getResult())
        one.gradient = divided;
  }
}

/// @accumulate, which adds the gradients of one batch to sums, and @update, which uses and clears them.
void ApplyOptimizerPass::buildAccumulatedStep(func::FuncOp gradients) {
  Copy copy = copyGradients(gradients, "accumulate");
  divideSeed(copy, accumulate);
  const Type element = cast<RankedTensorType>(copy.loss.getType()).getElementType();
  OpBuilder b(&getContext());
  b.setInsertionPointToEnd(getOperation().getBody());
  auto function = func::FuncOp::create(b, gradients.getLoc(), "update", b.getFunctionType({}, {}));
  function.addEntryBlock();

  Step accumulation(copy.function), update(function);
  accumulation.addResult(copy.loss, gradients.getResultAttrDict(0));
  SmallVector<Trained> trained;
  for (const Trained &one : copy.trained) {
    const Type type = one.argument.getType();
    ParameterOp sum = declareState(one.parameter, kGradientSum);
    Value before = accumulation.addParameter(sum, type);
    Value after =
        arith::AddFOp::create(accumulation.b, ParameterOp(one.parameter).getLoc(), before, one.gradient);
    accumulation.addUpdated(before, after);
    Value parameter = update.addParameter(one.parameter, type);
    trained.push_back({one.parameter, parameter, update.addParameter(sum, type)});
  }
  accumulation.finish();
  addUpdates(update, trained, element);
  update.finish();
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
  for (StringRef name : {"train_step", "accumulate", "update"})
    if (module.lookupSymbol(name)) {
      module.emitError() << "the module has @" << name << " already";
      return signalPassFailure();
    }
  if (failed(checkStateNames()))
    return signalPassFailure();
  if (accumulate == 1)
    return buildTrainStep(gradients);
  module->setAttr(PhantomDialect::kAccumulation, OpBuilder(&getContext()).getI64IntegerAttr(accumulate));
  buildAccumulatedStep(gradients);
}

} // namespace
