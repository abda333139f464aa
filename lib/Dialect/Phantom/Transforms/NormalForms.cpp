//===- NormalForms.cpp - Products and polynomials of elementwise ops -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NormalForms.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

std::optional<double> phantom::matchConstant(Value value) {
  while (auto broadcast = value.getDefiningOp<BroadcastOp>())
    value = broadcast.getInput();
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  APFloat number = elements.getSplatValue<APFloat>();
  return elements.getElementType().isF64() ? number.convertToDouble()
                                           : static_cast<double>(number.convertToFloat());
}

bool phantom::nearlyEqual(double a, double b, double scale) {
  return std::abs(a - b) <= 1e-4 * std::abs(scale);
}

bool phantom::nearlyEqual(const Polynomial &a, const Polynomial &b) {
  for (auto [left, right] : llvm::zip(a, b))
    // A coefficient that should be zero is measured against the largest one.
    if (!nearlyEqual(left, right, right != 0 ? right : *std::max_element(b.begin(), b.end())))
      return false;
  return true;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Formulas are small; shared operands (squares of squares) could make a product exponentially large.
static constexpr size_t kMostFactors = 24;

static void collectFactors(Value value, bool inverse, unsigned depth, Product &product) {
  if (std::optional<double> constant = matchConstant(value)) {
    product.coefficient *= inverse ? 1 / *constant : *constant;
    return;
  }
  if (depth < 12 && product.factors.size() < kMostFactors) {
    if (auto mul = value.getDefiningOp<arith::MulFOp>()) {
      collectFactors(mul.getLhs(), inverse, depth + 1, product);
      collectFactors(mul.getRhs(), inverse, depth + 1, product);
      return;
    }
    if (auto div = value.getDefiningOp<arith::DivFOp>()) {
      collectFactors(div.getLhs(), inverse, depth + 1, product);
      collectFactors(div.getRhs(), !inverse, depth + 1, product);
      return;
    }
    if (auto neg = value.getDefiningOp<arith::NegFOp>()) {
      product.coefficient = -product.coefficient;
      collectFactors(neg.getOperand(), inverse, depth + 1, product);
      return;
    }
  }
  product.factors.push_back({value, inverse});
}

Product phantom::collectProduct(Value value) {
  Product product;
  collectFactors(value, /*inverse=*/false, /*depth=*/0, product);
  return product;
}

bool Product::removeFactors(const Product &other) {
  SmallVector<Factor, 8> rest = factors;
  for (const Factor &factor : other.factors) {
    auto found = llvm::find(rest, factor);
    if (found == rest.end())
      return false;
    rest.erase(found);
  }
  factors = std::move(rest);
  return true;
}

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

namespace {

class PolynomialMatcher {
public:
  explicit PolynomialMatcher(Value variable) : variable(variable) {}

  std::optional<Polynomial> match(Value value, unsigned depth = 0) {
    if (value == variable)
      return Polynomial{0, 1, 0, 0};
    if (std::optional<double> constant = matchConstant(value))
      return Polynomial{*constant, 0, 0, 0};
    Operation *op = value.getDefiningOp();
    if (!op || depth > 12)
      return std::nullopt;
    auto [known, inserted] = memo.try_emplace(value);
    if (!inserted)
      return known->second;
    std::optional<Polynomial> result = matchOp(op, depth);
    memo[value] = result;
    return result;
  }

private:
  std::optional<Polynomial> matchOp(Operation *op, unsigned depth) {
    if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp>(op))
      return std::nullopt;
    std::optional<Polynomial> left = match(op->getOperand(0), depth + 1);
    if (!left)
      return std::nullopt;
    if (isa<arith::NegFOp>(op))
      return scale(*left, -1);
    std::optional<Polynomial> right = match(op->getOperand(1), depth + 1);
    if (!right)
      return std::nullopt;
    if (isa<arith::MulFOp>(op))
      return multiply(*left, *right);
    if (isa<arith::DivFOp>(op)) {
      bool constant = (*right)[1] == 0 && (*right)[2] == 0 && (*right)[3] == 0 && (*right)[0] != 0;
      return constant ? scale(*left, 1 / (*right)[0]) : std::optional<Polynomial>();
    }
    double sign = isa<arith::SubFOp>(op) ? -1 : 1;
    for (auto [a, b] : llvm::zip(*left, *right))
      a += sign * b;
    return left;
  }

  static std::optional<Polynomial> scale(Polynomial polynomial, double factor) {
    for (double &coefficient : polynomial)
      coefficient *= factor;
    return polynomial;
  }

  static std::optional<Polynomial> multiply(const Polynomial &a, const Polynomial &b) {
    Polynomial result{};
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < b.size(); ++j) {
        double term = a[i] * b[j];
        if (term == 0)
          continue;
        if (i + j >= result.size())
          return std::nullopt;
        result[i + j] += term;
      }
    return result;
  }

  Value variable;
  llvm::DenseMap<Value, std::optional<Polynomial>> memo;
};

} // namespace

std::optional<Polynomial> phantom::matchPolynomial(Value value, Value variable) {
  return PolynomialMatcher(variable).match(value);
}

SmallVector<Value> phantom::collectSubexpressions(Value value) {
  constexpr size_t most = 32;
  llvm::SetVector<Value> values;
  values.insert(value);
  for (size_t next = 0; next < values.size() && values.size() < most; ++next) {
    Operation *op = values[next].getDefiningOp();
    if (!op || !isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp>(op))
      continue;
    for (Value operand : op->getOperands())
      if (!matchConstant(operand))
        values.insert(operand);
  }
  return values.takeVector();
}
