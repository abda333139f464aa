//===- UpdateToLinalg.cpp - Optimizer updates and norms as linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GradientSums.h"
#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

/// 1/(1−βᵗ) (its root where `root`), once per step and not per element: a 0-d op in f64.
Value createCorrection(OpBuilder &builder, Location loc, Value step, double beta, bool root, Type element) {
  auto type = RankedTensorType::get({}, element);
  return createElementwise(
      builder, loc, type, step, [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
        Scalars s(b, b.getF64Type());
        Value exponent = arith::SIToFPOp::create(b, b.getF64Type(), v[0]);
        Value power = math::PowFOp::create(b, s.constant(beta), exponent);
        Value remaining = s.sub(s.constant(1), power);
        return {s.cast(s.div(s.constant(1), root ? s.sqrt(remaining) : remaining), element)};
      });
}

/// The values that a rule reads at one element.
struct Element {
  Value gradient, learningRate, scale, correction1, correction2, parameter;
  SmallVector<Value> states;
};

/// New parameter, then new states.
SmallVector<Value> applyRule(Scalars &s, UpdateOp op, Element e) {
  double decay = op.getWeightDecay().convertToDouble(), factor = op.getLearningRateFactor().convertToDouble();
  if (e.scale)
    e.gradient = s.mul(e.gradient, e.scale);
  if (factor != 1)
    e.learningRate = s.mul(e.learningRate, s.constant(factor));
  if (decay != 0 && op.getKind() != OptimizerKind::AdamW)
    e.gradient = s.add(e.gradient, s.mul(s.constant(decay), e.parameter));
  switch (op.getKind()) {
  case OptimizerKind::Sgd:
    return {s.sub(e.parameter, s.mul(e.learningRate, e.gradient))};
  case OptimizerKind::Momentum: {
    double momentum = op.getMomentum().convertToDouble();
    Value velocity = s.add(s.mul(s.constant(momentum), e.states[0]), e.gradient);
    return {s.sub(e.parameter, s.mul(e.learningRate, velocity)), velocity};
  }
  case OptimizerKind::Adam:
  case OptimizerKind::AdamW: {
    double beta1 = op.getBeta1().convertToDouble(), beta2 = op.getBeta2().convertToDouble();
    Value first = s.add(s.mul(s.constant(beta1), e.states[0]), s.mul(s.constant(1 - beta1), e.gradient));
    Value square = s.mul(e.gradient, e.gradient);
    Value second = s.add(s.mul(s.constant(beta2), e.states[1]), s.mul(s.constant(1 - beta2), square));
    Value root = s.mul(s.sqrt(second), e.correction2);
    Value denominator = s.add(root, s.constant(op.getEpsilon().convertToDouble()));
    Value direction = s.div(s.mul(first, e.correction1), denominator);
    if (decay != 0 && op.getKind() == OptimizerKind::AdamW)
      direction = s.add(direction, s.mul(s.constant(decay), e.parameter));
    return {s.sub(e.parameter, s.mul(e.learningRate, direction)), first, second};
  }
  }
  llvm_unreachable("unknown optimizer");
}

/// g², in f64.
Value squareF64(ImplicitLocOpBuilder &b, Value gradient) {
  Scalars s(b, b.getF64Type());
  Value wide = s.cast(gradient, b.getF64Type());
  return s.mul(wide, wide);
}

/// All dimensions of `value` as one.
Value flatten(OpBuilder &builder, Location loc, Value value) {
  const int64_t rank = tensorTypeOf(value).getRank();
  if (rank < 2)
    return value;
  return tensor::CollapseShapeOp::create(builder, loc, value,
                                         {llvm::to_vector<2>(llvm::seq<int64_t>(0, rank))});
}

Value unflatten(OpBuilder &builder, Location loc, Value value, RankedTensorType type) {
  if (type.getRank() < 2)
    return value;
  return tensor::ExpandShapeOp::create(builder, loc, type, value,
                                       {llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()))});
}

/// Replaces an update, and with it the norm of its gradient where that is not null.
void convertUpdate(RewriterBase &rewriter, UpdateOp op, SquaredNormOp norm) {
  Location loc = op.getLoc();
  const RankedTensorType type = tensorTypeOf(op.getParameter());
  const bool adam = op.getKind() == OptimizerKind::Adam || op.getKind() == OptimizerKind::AdamW;
  // Parameters of as many elements then share a kernel. What else makes the gradient can be fused as it is.
  const bool flat = isa_and_nonnull<GemmOp>(op.getGradient().getDefiningOp()) || op.getResetGradient();
  auto view = [&](Value value) { return flat ? flatten(rewriter, loc, value) : value; };

  // A gradient that is cleared is a destination, and read there: one operand per buffer.
  const bool clears = op.getResetGradient();
  SmallVector<Value> inputs, inits{view(op.getParameter())};
  if (!clears)
    inputs.push_back(view(op.getGradient()));
  const size_t rate = inputs.size();
  inputs.push_back(op.getLearningRate());
  if (op.getScale())
    inputs.push_back(op.getScale());
  const size_t corrections = inputs.size();
  if (adam) {
    for (auto [beta, root] : {std::pair(op.getBeta1(), false), std::pair(op.getBeta2(), true)})
      inputs.push_back(
          createCorrection(rewriter, loc, op.getStep(), beta.convertToDouble(), root, type.getElementType()));
  }
  for (Value state : op.getStates())
    inits.push_back(view(state));
  if (clears)
    inits.push_back(view(op.getGradient()));
  if (norm)
    inits.push_back(createFilled(rewriter, loc, tensorTypeOf(norm.getOutput()), 0));

  const int64_t rank = tensorTypeOf(inits[0]).getRank();
  const AffineMap one = AffineMap::get(rank, 0, rewriter.getContext());
  SmallVector<AffineMap> maps(inputs.size() + inits.size(), rewriter.getMultiDimIdentityMap(rank));
  std::fill(maps.begin() + rate, maps.begin() + inputs.size(), one);
  if (norm)
    maps.back() = one;
  SmallVector<IteratorType> iterators(rank, norm ? IteratorType::reduction : IteratorType::parallel);
  auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) {
    Scalars s(b, type.getElementType());
    Element e;
    e.gradient = clears ? v[inputs.size() + 1 + op.getStates().size()] : v[0];
    e.learningRate = v[rate];
    e.scale = op.getScale() ? v[rate + 1] : Value();
    e.correction1 = adam ? v[corrections] : Value();
    e.correction2 = adam ? v[corrections + 1] : Value();
    e.parameter = v[inputs.size()];
    e.states = llvm::to_vector(v.slice(inputs.size() + 1, op.getStates().size()));
    SmallVector<Value> results = applyRule(s, op, e);
    if (clears)
      results.push_back(s.constant(0));
    if (norm)
      results.push_back(addF64(b, v.back(), squareF64(b, e.gradient)));
    return results;
  };
  SmallVector<Value> results = createGeneric(rewriter, loc, inputs, inits, maps, iterators, body);
  if (norm)
    rewriter.replaceOp(norm, results.pop_back_val());
  for (Value &result : results)
    result = flat ? unflatten(rewriter, loc, result, type) : result;
  rewriter.replaceOp(op, results);
}

/// The norm of the gradient of `op`, if nothing needs it before.
SquaredNormOp normOfGradient(UpdateOp op) {
  for (Operation *user : op.getGradient().getUsers())
    if (auto norm = dyn_cast<SquaredNormOp>(user);
        norm && norm->getBlock() == op->getBlock() &&
        llvm::all_of(norm->getUsers(), [&](Operation *reader) { return op->isBeforeInBlock(reader); }))
      return norm;
  return nullptr;
}

struct UpdateToLinalg : OpRewritePattern<UpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UpdateOp op, PatternRewriter &rewriter) const override {
    convertUpdate(rewriter, op, nullptr);
    return success();
  }
};

struct SquaredNormToLinalg : OpRewritePattern<SquaredNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SquaredNormOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(
        op, createSumF64(rewriter, op.getLoc(), op.getInput(), Value(),
                         [](ImplicitLocOpBuilder &b, ValueRange v) { return squareF64(b, v[0]); }));
    return success();
  }
};

} // namespace

void mlir::phantom::populateUpdateToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<UpdateToLinalg, SquaredNormToLinalg>(patterns.getContext());
}

void mlir::phantom::convertGradientSums(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  for (auto op : llvm::to_vector(function.getOps<arith::AddFOp>())) {
    FailureOr<GradientSum> match = matchGradientSum(op);
    if (failed(match))
      continue;
    rewriter.setInsertionPoint(op);
    const int64_t rank = tensorTypeOf(op).getRank();
    SmallVector<AffineMap> maps(2, rewriter.getMultiDimIdentityMap(rank));
    SmallVector<IteratorType> iterators(rank, IteratorType::parallel);
    rewriter.replaceOp(op, createGeneric(rewriter, op.getLoc(), match->term, match->sum, maps, iterators,
                                         [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
                                           return {Scalars(b, v[0].getType()).add(v[1], v[0])};
                                         }));
  }
}

void mlir::phantom::convertUpdatesWithNorms(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  for (UpdateOp op : llvm::to_vector(function.getOps<UpdateOp>()))
    if (SquaredNormOp norm = normOfGradient(op)) {
      rewriter.setInsertionPoint(op);
      convertUpdate(rewriter, op, norm);
    }
}
