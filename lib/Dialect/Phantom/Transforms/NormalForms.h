//===- NormalForms.h - Products and polynomials of elementwise ops -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// The same formula has many spellings: `(x · 0.5) · (1 + t)`, `x · (0.5 · (t + 1))`, `x / 2 · (1 + t)`. As
// products of factors and as polynomials they are equal.

#ifndef PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_NORMALFORMS_H
#define PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_NORMALFORMS_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <array>
#include <optional>

namespace mlir::phantom {

/// The value of a splat constant, also through `phantom.broadcast`.
std::optional<double> matchConstant(Value value);

/// coefficient · Π factors
struct Product {
  struct Factor {
    Value value;
    bool inverse; ///< divides
    bool operator==(const Factor &) const = default;
  };
  double coefficient = 1;
  llvm::SmallVector<Factor, 8> factors;

  /// Removes the factors of `other`; false, and nothing changes, if they are not all there.
  bool removeFactors(const Product &other);
};

/// The product that `value` is the root of: through mulf, divf and negf, constants collected.
Product collectProduct(Value value);

/// Σ coefficient[i] · xⁱ
using Polynomial = std::array<double, 4>;

/// `value` as a polynomial of `variable`; nullopt if it is none of degree at most 3.
std::optional<Polynomial> matchPolynomial(Value value, Value variable);

/// Whether two numbers are equal to the rounding of the constants in exported models (1e-4, relative to the
/// scale).
bool nearlyEqual(double a, double b, double scale);
bool nearlyEqual(const Polynomial &a, const Polynomial &b);

/// The values that the elementwise expression of `value` is made of, itself first; a bounded number of them.
llvm::SmallVector<Value> collectSubexpressions(Value value);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_NORMALFORMS_H
