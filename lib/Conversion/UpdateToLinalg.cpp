//===- UpdateToLinalg.cpp - Optimizer updates and norms as linalg.generic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

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
  Value gradient, learningRate, correction1, correction2, parameter;
  SmallVector<Value> states;
};

/// New parameter, then new states.
SmallVector<Value> applyRule(Scalars &s, UpdateOp op, Element e) {
  double decay = op.getWeightDecay().convertToDouble();
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

struct UpdateToLinalg : OpRewritePattern<UpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(UpdateOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    RankedTensorType type = tensorTypeOf(op.getParameter());
    bool adam = op.getKind() == OptimizerKind::Adam || op.getKind() == OptimizerKind::AdamW;
    SmallVector<Value> inputs{op.getGradient(), op.getLearningRate()}, inits{op.getParameter()};
    if (adam) {
      for (auto [beta, root] : {std::pair(op.getBeta1(), false), std::pair(op.getBeta2(), true)})
        inputs.push_back(createCorrection(rewriter, loc, op.getStep(), beta.convertToDouble(), root,
                                          type.getElementType()));
    }
    llvm::append_range(inits, op.getStates());

    AffineMap all = rewriter.getMultiDimIdentityMap(type.getRank());
    SmallVector<AffineMap> maps(inputs.size() + inits.size(), all);
    for (size_t i = 1; i < inputs.size(); ++i)
      maps[i] = AffineMap::get(type.getRank(), 0, rewriter.getContext());
    SmallVector<IteratorType> iterators(type.getRank(), IteratorType::parallel);
    rewriter.replaceOp(op, createGeneric(rewriter, loc, inputs, inits, maps, iterators,
                                         [&](ImplicitLocOpBuilder &b, ValueRange v) {
                                           Scalars s(b, type.getElementType());
                                           Element e;
                                           e.gradient = v[0];
                                           e.learningRate = v[1];
                                           e.correction1 = adam ? v[2] : Value();
                                           e.correction2 = adam ? v[3] : Value();
                                           e.parameter = v[inputs.size()];
                                           e.states = llvm::to_vector(v.drop_front(inputs.size() + 1));
                                           return applyRule(s, op, e);
                                         }));
    return success();
  }
};

struct SquaredNormToLinalg : OpRewritePattern<SquaredNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SquaredNormOp op, PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, createSumF64(rewriter, op.getLoc(), op.getInput(), op.getAcc(),
                                        [](ImplicitLocOpBuilder &b, ValueRange v) -> Value {
                                          Scalars s(b, b.getF64Type());
                                          Value wide = s.cast(v[0], b.getF64Type());
                                          return s.mul(wide, wide);
                                        }));
    return success();
  }
};

} // namespace

void mlir::phantom::populateUpdateToLinalgPatterns(RewritePatternSet &patterns) {
  patterns.add<UpdateToLinalg, SquaredNormToLinalg>(patterns.getContext());
}
