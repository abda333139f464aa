//===- RecognizeActivations.cpp - Finds GELU and SiLU in arithmetic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormalForms.h"
#include "Recognize.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// A factor of a product that smoothly switches its input on: scale · (1 + erf u), scale · (1 + tanh u) or
/// sigmoid(u).
struct Gate {
  enum class Kind { Erf, Tanh, Sigmoid };
  Kind kind;
  Product::Factor factor;
  Value argument; ///< u
  double scale;
  double sign = 1; ///< of u: -1 where the sigmoid is spelled with exp(-u)
};

/// What an activation multiplies and how it gates it: activation(x) = coefficient · x · gate(argument(x)).
struct Form {
  Gate::Kind gate;
  ActivationKind activation;
  double coefficient;
  Polynomial argument;
};

constexpr double kSqrtHalf = 0.70710678118654752;
constexpr double kSqrtTwoOverPi = 0.79788456080286536;

const Form kForms[] = {
    {Gate::Kind::Erf, ActivationKind::GeluErf, 0.5, {0, kSqrtHalf, 0, 0}},
    {Gate::Kind::Tanh, ActivationKind::GeluTanh, 0.5, {0, kSqrtTwoOverPi, 0, 0.044715 * kSqrtTwoOverPi}},
    {Gate::Kind::Sigmoid, ActivationKind::Silu, 1, {0, 1, 0, 0}},
};

Value operandOfActivation(Value value, ActivationKind kind) {
  auto op = value.getDefiningOp<ActivationOp>();
  return op && op.getKind() == kind ? op.getInput() : Value();
}

std::optional<Gate> matchGate(const Product::Factor &factor) {
  if (Value input = operandOfActivation(factor.value, ActivationKind::Sigmoid); input && !factor.inverse)
    return Gate{Gate::Kind::Sigmoid, factor, input, 1};
  for (Value part : collectSubexpressions(factor.value)) {
    Value argument;
    Gate::Kind kind = Gate::Kind::Erf;
    double sign = 1;
    if (auto erf = part.getDefiningOp<math::ErfOp>()) {
      argument = erf.getOperand();
    } else if (auto tanh = part.getDefiningOp<math::TanhOp>()) {
      argument = tanh.getOperand();
      kind = Gate::Kind::Tanh;
    } else if (Value input = operandOfActivation(part, ActivationKind::Tanh)) {
      argument = input;
      kind = Gate::Kind::Tanh;
    } else if (auto exp = part.getDefiningOp<math::ExpOp>()) {
      argument = exp.getOperand();
      kind = Gate::Kind::Sigmoid;
      sign = -1;
    }
    if (!argument || factor.inverse != (sign < 0))
      continue;
    std::optional<Polynomial> affine = matchPolynomial(factor.value, part);
    if (affine && (*affine)[0] != 0 && nearlyEqual(*affine, {(*affine)[0], (*affine)[0], 0, 0}))
      return Gate{kind, factor, argument, factor.inverse ? 1 / (*affine)[0] : (*affine)[0], sign};
  }
  return std::nullopt;
}

/// A product that has an activation among its factors.
struct Match {
  ActivationKind activation;
  Value input;
  Product rest;     ///< other factors, their coefficient as it is
  double slope = 1; ///< α in x · sigmoid(αx), which is silu(αx)/α: QuickGELU, with α = 1.702
};

/// Where a gate has the right form of an argument and is multiplied by the input, but the coefficient is
/// another.
struct NearMiss {
  const Form *form;
  std::optional<double> coefficient; ///< times x
  std::optional<Polynomial> argument;
};

const Form &formOf(Gate::Kind kind) {
  return *llvm::find_if(kForms, [&](const Form &form) { return form.gate == kind; });
}

/// Looks for the activation of `gate` in `product`.
std::optional<Match> matchActivation(const Product &product, const Gate &gate,
                                     std::optional<NearMiss> &miss) {
  const Form &form = formOf(gate.kind);
  Product withoutGate = product;
  Product gateAlone;
  gateAlone.factors.push_back(gate.factor);
  if (!withoutGate.removeFactors(gateAlone))
    return std::nullopt;
  for (Value input : collectSubexpressions(gate.argument)) {
    Product inputProduct = collectProduct(input), rest = withoutGate;
    if (inputProduct.factors.empty() || !rest.removeFactors(inputProduct))
      continue;
    std::optional<Polynomial> argument = matchPolynomial(gate.argument, input);
    if (!argument)
      continue;
    for (double &coefficient : *argument)
      coefficient *= gate.sign;
    // product = coefficient · scale · Π input.factors · …, and input = inputCoefficient · Π input.factors.
    double coefficient = product.coefficient * gate.scale / inputProduct.coefficient;
    bool sameArgument = nearlyEqual(*argument, form.argument);
    if (sameArgument && nearlyEqual(coefficient, form.coefficient, form.coefficient)) {
      rest.coefficient = 1;
      return Match{form.activation, input, rest};
    }
    bool scaledSilu = form.activation == ActivationKind::Silu && inputProduct.coefficient == 1 &&
                      (*argument)[1] > 0 && nearlyEqual(*argument, {0, (*argument)[1], 0, 0});
    if (scaledSilu && nearlyEqual(coefficient, 1, 1)) {
      rest.coefficient = 1;
      return Match{form.activation, input, rest, (*argument)[1]};
    }
    // A scaled input is a poorer guess than what is scaled.
    if (!miss && inputProduct.coefficient == 1 && (sameArgument || (*argument)[1] != 0))
      miss = NearMiss{&form, coefficient, sameArgument ? std::nullopt : argument};
  }
  return std::nullopt;
}

std::optional<Match> matchActivation(Operation *op, std::optional<NearMiss> &miss) {
  Product product = collectProduct(op->getResult(0));
  for (const Product::Factor &factor : product.factors)
    if (std::optional<Gate> gate = matchGate(factor))
      if (std::optional<Match> match = matchActivation(product, *gate, miss))
        return match;
  return std::nullopt;
}

/// value · factor
Value scaled(PatternRewriter &rewriter, Location loc, Value value, double factor) {
  if (factor == 1)
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  auto scalar = RankedTensorType::get({}, type.getElementType());
  auto number = FloatAttr::get(type.getElementType(), factor);
  Value constant =
      arith::ConstantOp::create(rewriter, loc, DenseElementsAttr::get(scalar, number.getValue()));
  Value wide = BroadcastOp::create(rewriter, loc, type, constant, value);
  return arith::MulFOp::create(rewriter, loc, value, wide);
}

/// Π factors with an activation among them  -->  activation · Π other factors
template <typename Op> struct RecognizeActivation : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    std::optional<NearMiss> miss;
    std::optional<Match> match = matchActivation(op, miss);
    if (!match)
      return rewriter.notifyMatchFailure(op, "no product with an activation");
    // A factor that is one by itself comes first: it may have other uses.
    for (Value operand : op->getOperands())
      if (Operation *factor = operand.getDefiningOp();
          isa_and_nonnull<arith::MulFOp, arith::DivFOp>(factor) && matchActivation(factor, miss))
        return rewriter.notifyMatchFailure(op, "a factor is an activation");
    Value input = scaled(rewriter, op.getLoc(), match->input, match->slope);
    Value result = ActivationOp::create(rewriter, op.getLoc(), op.getType(), match->activation, input,
                                        llvm::APFloat(0.0));
    result = scaled(rewriter, op.getLoc(), result, 1 / match->slope);
    for (const Product::Factor &factor : match->rest.factors) {
      if (factor.inverse)
        result = arith::DivFOp::create(rewriter, op.getLoc(), result, factor.value);
      else
        result = arith::MulFOp::create(rewriter, op.getLoc(), result, factor.value);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Whether the result is a factor of another product, which then tells the whole story.
bool isInnerFactor(Operation *op) {
  return llvm::any_of(op->getUsers(),
                      [](Operation *user) { return isa<arith::MulFOp, arith::DivFOp>(user); });
}

} // namespace

void phantom::populateRecognizeActivationPatterns(RewritePatternSet &patterns) {
  patterns.add<RecognizeActivation<arith::MulFOp>, RecognizeActivation<arith::DivFOp>>(patterns.getContext());
}

void phantom::remarkOnActivations(Operation *root) {
  root->walk([](Operation *op) {
    if (!isa<arith::MulFOp, arith::DivFOp>(op) || isInnerFactor(op))
      return;
    std::optional<NearMiss> miss;
    if (matchActivation(op, miss) || !miss)
      return;
    auto remark = op->emitRemark() << "looks like '" << stringifyActivationKind(miss->form->activation)
                                   << "', but ";
    if (miss->argument)
      remark << "the argument of its gate has the coefficients " << (*miss->argument)[1] << " and "
             << (*miss->argument)[3] << " of x and x³, not " << miss->form->argument[1] << " and "
             << miss->form->argument[3];
    else
      remark << "is multiplied by " << *miss->coefficient << ", not " << miss->form->coefficient;
  });
}
