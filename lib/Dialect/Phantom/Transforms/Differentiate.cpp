//===- Differentiate.cpp - Derives evaluation and gradients from the forward function -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FunctionBuilding.h"
#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMDIFFERENTIATE
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

class DifferentiatePass : public phantom::impl::PhantomDifferentiateBase<DifferentiatePass> {
public:
  using PhantomDifferentiateBase::PhantomDifferentiateBase;
  void runOnOperation() override;

private:
  FailureOr<RankedTensorType> targetType(func::FuncOp forward);
  void buildEvaluate(func::FuncOp forward, RankedTensorType target);
  LogicalResult buildGradients(func::FuncOp forward, RankedTensorType target);
};

/// Number of leading arguments that are model inputs; parameters follow.
unsigned countInputs(func::FuncOp function) {
  unsigned inputs = 0;
  while (inputs < function.getNumArguments() && function.getArgAttr(inputs, PhantomDialect::kInput))
    ++inputs;
  return inputs;
}

/// The shape over all ranks of what a rank holds.
SmallVector<int64_t> wholeShape(func::FuncOp function, RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  std::optional<int64_t> dim = getShardDim(type);
  if (!dim)
    return shape;
  const StringRef name = getState(type).getAxis();
  for (auto mesh : function->getParentOfType<ModuleOp>().getOps<MeshOp>())
    for (AxisAttr axis : mesh.getAxes())
      if (axis.getName() == name)
        shape[*dim] *= axis.getSize();
  return shape;
}

/// Makes the dropouts of the function drop. Arguments of their counters are inserted from `index` on.
void activateDropout(func::FuncOp function, unsigned index) {
  OpBuilder b(function.getContext());
  SmallVector<Value> counter;
  for (auto [site, op] : llvm::enumerate(llvm::to_vector(function.getOps<DropoutOp>()))) {
    if (op.getRatio().isZero())
      continue;
    auto scalar = RankedTensorType::get({}, b.getI64Type());
    for (StringRef name : {"dropout_key", "step"})
      if (counter.size() < 2)
        counter.push_back(insertArgument(function, index + counter.size(), scalar, PhantomDialect::kScalar,
                                         b.getStringAttr(name)));
    op.getCounterMutable().assign(counter);
    op.setSite(site);
    op.setWhole(wholeShape(function, cast<RankedTensorType>(op.getType())));
  }
}

DictionaryAttr single(MLIRContext *context, StringRef name, Attribute value) {
  return DictionaryAttr::get(context, NamedAttribute(StringAttr::get(context, name), value));
}

/// Reverse mode over one straight-line block.
class Reverse {
public:
  Reverse(func::FuncOp function)
      : function(function), b(OpBuilder::atBlockEnd(&function.getBody().front())) {}

  LogicalResult run(Value output, Value seed);

  /// The cotangent of an argument; null where the loss does not depend on it.
  Value cotangent(Value value) const { return cotangents.lookup(value); }

private:
  void findActive();
  LogicalResult reverse(Operation &op);
  void accumulate(Value value, Value cotangent, Location loc);

  func::FuncOp function;
  OpBuilder b;
  DenseSet<Value> active; ///< values that depend on a trainable parameter
  DenseMap<Value, Value> cotangents;
};

void Reverse::findActive() {
  for (BlockArgument argument : function.getArguments())
    if (ParameterOp parameter = getParameter(argument); parameter && parameter.getTrainable())
      active.insert(argument);
  for (Operation &op : function.getBody().front())
    if (llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
      active.insert(op.result_begin(), op.result_end());
}

void Reverse::accumulate(Value value, Value cotangent, Location loc) {
  Value &sum = cotangents[value];
  sum = sum ? Value(arith::AddFOp::create(b, loc, sum, cotangent)) : cotangent;
}

LogicalResult Reverse::reverse(Operation &op) {
  SmallVector<Value> results;
  for (Value result : op.getResults())
    results.push_back(cotangents.lookup(result));
  SmallVector<bool> needed;
  for (Value operand : op.getOperands())
    needed.push_back(active.contains(operand));
  if (llvm::none_of(results, [](Value value) { return static_cast<bool>(value); }) ||
      !llvm::is_contained(needed, true))
    return success();
  auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
  if (!differentiable)
    return op.emitError() << "cannot differentiate '" << op.getName()
                          << "', on the way from a trainable parameter to the loss";
  FailureOr<SmallVector<Value>> operands = differentiable.buildVjp(b, results, needed);
  if (failed(operands))
    return failure();
  for (auto [operand, cotangent, need] : llvm::zip(op.getOperands(), *operands, needed))
    if (cotangent && need)
      accumulate(operand, cotangent, op.getLoc());
  return success();
}

LogicalResult Reverse::run(Value output, Value seed) {
  findActive();
  cotangents[output] = seed;
  SmallVector<Operation *> ops;
  for (Operation &op : function.getBody().front()) {
    if (&op == seed.getDefiningOp())
      break;
    ops.push_back(&op);
  }
  for (Operation *op : llvm::reverse(ops))
    if (failed(reverse(*op)))
      return failure();
  return success();
}

FailureOr<RankedTensorType> DifferentiatePass::targetType(func::FuncOp forward) {
  if (forward.getNumResults() != 1) {
    forward.emitError() << "the model has " << forward.getNumResults()
                        << " outputs; training needs exactly one: export the model with one output";
    return failure();
  }
  auto prediction = cast<RankedTensorType>(forward.getResultTypes()[0]);
  if (loss != LossKind::CrossEntropy)
    return prediction;
  if (prediction.getRank() < 2) {
    forward.emitError() << "cross-entropy needs an output of logits, [batch, classes]; it is " << prediction;
    return failure();
  }
  return RankedTensorType::get(prediction.getShape().drop_back(), IntegerType::get(&getContext(), 64));
}

void DifferentiatePass::buildEvaluate(func::FuncOp forward, RankedTensorType target) {
  auto [function, outputs] = copyOpen(forward, "evaluate");
  MLIRContext *context = &getContext();
  unsigned inputs = countInputs(function);
  Value expected = insertArgument(function, inputs, target, PhantomDialect::kTarget, UnitAttr::get(context));
  Value valid = insertArgument(function, inputs + 1, RankedTensorType::get({}, IntegerType::get(context, 64)),
                               PhantomDialect::kScalar, StringAttr::get(context, "valid"));
  OpBuilder b = OpBuilder::atBlockEnd(&function.getBody().front());
  auto scalar = RankedTensorType::get({}, cast<RankedTensorType>(outputs[0].getType()).getElementType());
  Value value = LossOp::create(b, function.getLoc(), scalar, loss, outputs[0], expected, valid, APFloat(0.0));
  SmallVector<DictionaryAttr> attrs;
  forward.getAllResultAttrs(attrs);
  attrs.push_back(single(context, PhantomDialect::kLoss, UnitAttr::get(context)));
  close(function, {outputs[0], value}, attrs);
}

LogicalResult DifferentiatePass::buildGradients(func::FuncOp forward, RankedTensorType target) {
  auto [function, outputs] = copyOpen(forward, "gradients");
  MLIRContext *context = &getContext();
  Location loc = function.getLoc();
  const unsigned inputs = countInputs(function);
  Value expected = insertArgument(function, inputs, target, PhantomDialect::kTarget, UnitAttr::get(context));
  activateDropout(function, inputs + 1);
  OpBuilder b = OpBuilder::atBlockEnd(&function.getBody().front());
  Type scalar = RankedTensorType::get({}, cast<RankedTensorType>(outputs[0].getType()).getElementType());
  const APFloat smoothing(labelSmoothing);
  Value value = LossOp::create(b, loc, scalar, loss, outputs[0], expected, Value(), smoothing);
  Value seed = LossGradientOp::create(b, loc, outputs[0].getType(), loss, outputs[0], expected, smoothing);
  Reverse reverse(function);
  // The loss itself is not walked back: its gradient is the seed.
  if (failed(reverse.run(outputs[0], seed)))
    return failure();

  b.setInsertionPointToEnd(&function.getBody().front());
  SmallVector<Value> results{value};
  SmallVector<DictionaryAttr> attrs{single(context, PhantomDialect::kLoss, UnitAttr::get(context))};
  for (BlockArgument argument : function.getArguments()) {
    ParameterOp parameter = getParameter(argument);
    if (!parameter || !parameter.getTrainable())
      continue;
    Value gradient = reverse.cotangent(argument);
    if (!gradient) {
      parameter.emitWarning() << "parameter '" << parameter.getSymName() << "' does not influence the loss";
      auto type = cast<RankedTensorType>(argument.getType());
      gradient = arith::ConstantOp::create(
          b, loc, DenseElementsAttr::get(type, FloatAttr::get(type.getElementType(), 0.0).getValue()));
    }
    results.push_back(gradient);
    attrs.push_back(
        single(context, PhantomDialect::kGradient, FlatSymbolRefAttr::get(parameter.getSymNameAttr())));
  }
  close(function, results, attrs);
  return success();
}

void DifferentiatePass::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> forward = getForwardFunction(module);
  if (failed(forward))
    return signalPassFailure();
  if (module.lookupSymbol("gradients")) {
    module.emitError("the module has @gradients already");
    return signalPassFailure();
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1) ||
      (labelSmoothing != 0 && loss != LossKind::CrossEntropy)) {
    module.emitError() << "label-smoothing is " << labelSmoothing
                       << "; it must be at least 0 and below 1, and the loss cross-entropy";
    return signalPassFailure();
  }
  FailureOr<RankedTensorType> target = targetType(*forward);
  if (failed(target))
    return signalPassFailure();
  StringRef names[] = {"cross-entropy", "mse", "bce"};
  module->setAttr(PhantomDialect::kLossKind,
                  StringAttr::get(&getContext(), names[static_cast<int>(loss.getValue())]));
  buildEvaluate(*forward, *target);
  if (failed(buildGradients(*forward, *target)))
    signalPassFailure();
}

} // namespace
