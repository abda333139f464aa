//===- TrainingOperators.cpp - Imports ONNX's optimizers -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Of the domain ai.onnx.preview.training. Each takes a learning rate, the number of updates so far, and n
// parameters, n gradients, and n of each state; it returns n parameters and n of each state. As arithmetic:
// what they do before the first update, and where they add epsilon, is not what phantom.update does.

#include "NodeImporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

namespace {

/// Elementwise arithmetic on tensors of one type.
struct Arithmetic {
  NodeImporter &node;

  Value constant(double value, Value like) { return splat(node, value, like); }
  Value add(Value x, Value y) { return arith::AddFOp::create(node.builder, node.location, x, y); }
  Value sub(Value x, Value y) { return arith::SubFOp::create(node.builder, node.location, x, y); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(node.builder, node.location, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(node.builder, node.location, x, y); }
  Value sqrt(Value x) { return math::SqrtOp::create(node.builder, node.location, x); }
  Value scaled(double factor, Value x) { return mul(constant(factor, x), x); }
};

/// What an optimizer node says.
struct Optimizer {
  Arithmetic a;
  double alpha = 0, beta = 0, epsilon = 0, decayFactor = 0, before = 0, after = 0; ///< 0: has none
  bool nesterov = false;
  Value rate = {}, count = {}, started = {}; ///< scalars: the count as a float, and whether it is positive
};

/// One parameter, its gradient (that of the weight decay included) and its states.
struct Trained {
  Value parameter, gradient;
  SmallVector<Value> states;
};

/// A new parameter, then new states; the scalars of `optimizer` have been broadcast to `rate`.
using Rule = SmallVector<Value> (*)(Optimizer &optimizer, const Trained &trained, Value rate);

SmallVector<Value> adagrad(Optimizer &o, const Trained &t, Value rate) {
  Arithmetic &a = o.a;
  Value squares = a.add(t.states[0], a.mul(t.gradient, t.gradient));
  Value denominator = a.add(a.sqrt(squares), a.constant(o.epsilon, squares));
  return {a.sub(t.parameter, a.div(a.mul(rate, t.gradient), denominator)), squares};
}

SmallVector<Value> adam(Optimizer &o, const Trained &t, Value rate) {
  Arithmetic &a = o.a;
  Value first = a.add(a.scaled(o.alpha, t.states[0]), a.scaled(1 - o.alpha, t.gradient));
  Value square = a.mul(t.gradient, t.gradient);
  Value second = a.add(a.scaled(o.beta, t.states[1]), a.scaled(1 - o.beta, square));
  Value denominator = a.add(a.sqrt(second), a.constant(o.epsilon, second));
  Value moved = a.sub(t.parameter, a.div(a.mul(rate, first), denominator));
  return {o.after == 0 ? moved : a.scaled(1 - o.after, moved), first, second};
}

/// The gradient's factor is beta, but 1 in the first update: `rate` is the learning rate.
SmallVector<Value> momentum(Optimizer &o, const Trained &t, Value rate) {
  Arithmetic &a = o.a;
  OpBuilder &b = a.node.builder;
  Value factor = arith::SelectOp::create(b, a.node.location, o.started, a.constant(o.beta, o.rate),
                                         a.constant(1, o.rate));
  FailureOr<Value> wide = broadcastTo(a.node, factor, t.gradient);
  if (mlir::failed(wide))
    return {};
  Value velocity = a.add(a.scaled(o.alpha, t.states[0]), a.mul(*wide, t.gradient));
  Value direction = o.nesterov ? a.add(t.gradient, a.scaled(o.alpha, velocity)) : velocity;
  return {a.sub(t.parameter, a.mul(rate, direction)), velocity};
}

/// The learning rate, corrected for the number of updates where the rule does so.
Value effectiveRate(Optimizer &o, Rule rule) {
  Arithmetic &a = o.a;
  OpBuilder &b = a.node.builder;
  if (rule == adagrad)
    return a.div(o.rate, a.add(a.constant(1, o.rate), a.scaled(o.decayFactor, o.count)));
  if (rule != adam)
    return o.rate;
  auto remaining = [&](double decay) {
    Value power = math::PowFOp::create(b, a.node.location, a.constant(decay, o.rate), o.count);
    return a.sub(a.constant(1, o.rate), power);
  };
  Value corrected = a.div(a.mul(o.rate, a.sqrt(remaining(o.beta))), remaining(o.alpha));
  return arith::SelectOp::create(b, a.node.location, o.started, corrected, o.rate);
}

LogicalResult readScalars(NodeImporter &node, Optimizer &o) {
  FailureOr<Value> rate = node.operand(0), count = node.anyOperand(1);
  if (mlir::failed(rate) || mlir::failed(count))
    return failure();
  auto scalar = [](Value value) { return cast<RankedTensorType>(value.getType()).getRank() == 0; };
  if (!scalar(*rate) || !scalar(*count) || !elementOf(*count).isInteger(64))
    return node.error() << "needs a scalar learning rate and an integer scalar, the number of updates";
  OpBuilder &b = node.builder;
  o.rate = *rate;
  o.count = mlir::phantom::CastOp::create(b, node.location, rate->getType(), *count);
  Value zero = arith::ConstantOp::create(
      b, node.location,
      DenseElementsAttr::get(cast<RankedTensorType>(count->getType()), b.getI64IntegerAttr(0).getValue()));
  o.started = arith::CmpIOp::create(b, node.location, arith::CmpIPredicate::sgt, *count, zero);
  return success();
}

/// Reads the tensors behind the scalars, of `states` states each.
FailureOr<std::vector<Trained>> readTensors(NodeImporter &node, Optimizer &o, size_t states) {
  const size_t kinds = states + 2, given = node.numInputs() - 2, count = given / kinds;
  if (given % kinds || count == 0 || node.numOutputs() != count * (states + 1))
    return node.error() << "has " << node.numInputs() << " inputs and " << node.numOutputs()
                        << " outputs, which fit no number of parameters";
  std::vector<Trained> all(count);
  for (size_t i = 0; i < count; ++i) {
    SmallVector<Value> tensors;
    for (size_t kind = 0; kind < kinds; ++kind) {
      FailureOr<Value> tensor = node.operand(2 + kind * count + i);
      if (mlir::failed(tensor))
        return failure();
      if (!tensors.empty() && tensor->getType() != tensors.front().getType())
        return node.error() << "has a parameter, gradient and states of different types";
      tensors.push_back(*tensor);
    }
    all[i].parameter = tensors[0];
    all[i].gradient = o.before == 0 ? tensors[1] : o.a.add(o.a.scaled(o.before, tensors[0]), tensors[1]);
    all[i].states.assign(tensors.begin() + 2, tensors.end());
  }
  return all;
}

LogicalResult importUpdates(NodeImporter &node, Optimizer &o, size_t states, Rule rule) {
  if (mlir::failed(readScalars(node, o)))
    return failure();
  FailureOr<std::vector<Trained>> all = readTensors(node, o, states);
  if (mlir::failed(all))
    return failure();
  Value rate = effectiveRate(o, rule);
  for (auto [i, trained] : enumerate(*all)) {
    FailureOr<Value> wide = broadcastTo(node, rate, trained.parameter);
    if (mlir::failed(wide))
      return failure();
    SmallVector<Value> updated = rule(o, trained, *wide);
    if (updated.empty())
      return failure();
    for (auto [kind, value] : enumerate(updated))
      if (mlir::failed(node.setOutput(kind * all->size() + i, value)))
        return failure();
  }
  return success();
}

} // namespace

static LogicalResult importAdagrad(NodeImporter &node) {
  FailureOr<double> decay = node.floatAttribute("decay_factor", 0),
                    epsilon = node.floatAttribute("epsilon", 1e-6),
                    before = node.floatAttribute("norm_coefficient", 0);
  if (mlir::failed(decay) || mlir::failed(epsilon) || mlir::failed(before))
    return failure();
  Optimizer o{{node}};
  o.decayFactor = *decay;
  o.epsilon = *epsilon;
  o.before = *before;
  return importUpdates(node, o, 1, adagrad);
}

static LogicalResult importAdam(NodeImporter &node) {
  FailureOr<double> alpha = node.floatAttribute("alpha", 0.9), beta = node.floatAttribute("beta", 0.999),
                    epsilon = node.floatAttribute("epsilon", 1e-6),
                    before = node.floatAttribute("norm_coefficient", 0),
                    after = node.floatAttribute("norm_coefficient_post", 0);
  if (mlir::failed(alpha) || mlir::failed(beta) || mlir::failed(epsilon) || mlir::failed(before) ||
      mlir::failed(after))
    return failure();
  Optimizer o{{node}};
  o.alpha = *alpha;
  o.beta = *beta;
  o.epsilon = *epsilon;
  o.before = *before;
  o.after = *after;
  return importUpdates(node, o, 2, adam);
}

static LogicalResult importMomentum(NodeImporter &node) {
  for (StringRef name : {"alpha", "beta", "mode", "norm_coefficient"})
    if (!node.hasAttribute(name))
      return node.error() << "has no attribute '" << name << "', which it needs";
  FailureOr<double> alpha = node.floatAttribute("alpha", 0), beta = node.floatAttribute("beta", 0),
                    before = node.floatAttribute("norm_coefficient", 0);
  FailureOr<std::string> mode = node.stringAttribute("mode", "standard");
  if (mlir::failed(alpha) || mlir::failed(beta) || mlir::failed(before) || mlir::failed(mode))
    return failure();
  if (*mode != "standard" && *mode != "nesterov")
    return node.error() << "has the mode '" << *mode << "'; it is standard or nesterov";
  Optimizer o{{node}};
  o.alpha = *alpha;
  o.beta = *beta;
  o.before = *before;
  o.nesterov = *mode == "nesterov";
  return importUpdates(node, o, 1, momentum);
}

static constexpr Gradient kNone{Gradient::No, "it is an optimizer"};

/// Sorted by name. The domain has had one version.
static constexpr Operator kOperators[] = {
    {"Adagrad", 1, 1, 5, kMany, kNone, importAdagrad},
    {"Adam", 1, 1, 6, kMany, kNone, importAdam},
    {"Momentum", 1, 1, 5, kMany, kNone, importMomentum},
};

ArrayRef<Operator> trainingOperators() { return kOperators; }

} // namespace phantom::onnx
