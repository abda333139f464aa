//===- Matrix.h - Linear algebra in f64 -------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MATRIX_H
#define PHANTOM_RT_MATRIX_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <vector>

namespace phantom::rt {

/// A dense row-major matrix.
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;

  Matrix() = default;
  /// Zeros.
  Matrix(int64_t rows, int64_t columns) : rows(rows), columns(columns), values(rows * columns) {}

  double *row(int64_t i) { return values.data() + i * columns; }
  const double *row(int64_t i) const { return values.data() + i * columns; }
};

/// The rows [row, row + rows) and columns [column, column + columns) as a matrix of their own.
Matrix block(const Matrix &whole, int64_t row, int64_t rows, int64_t column, int64_t columns);

/// a·b.
Matrix multiply(const Matrix &a, const Matrix &b);
/// a·bᵀ.
Matrix multiplyTransposed(const Matrix &a, const Matrix &b);

/// The sum of the squares of all elements.
double squaredNorm(const Matrix &a);

/// The root of error / whole, two squared norms: 0 without an error, 1 for an error against nothing.
double relativeNorm(double error, double whole);

/// The thin singular value decomposition left · diag(values) · right, of r = min(rows, columns) values in
/// descending order.
struct SingularValues {
  std::vector<double> values;
  Matrix left;  ///< [rows, r]
  Matrix right; ///< [r, columns]
};

llvm::Expected<SingularValues> decompose(Matrix a);

/// Its values only.
llvm::Expected<std::vector<double>> singularValues(Matrix a);

/// The lower triangular L with L·Lᵀ = a; what is above the diagonal of `a` is not read. An error where `a` is
/// not positive definite.
llvm::Expected<Matrix> choleskyFactor(Matrix a);

/// x·L⁻¹ for the lower triangular `factor` L.
void divideByFactor(Matrix &x, const Matrix &factor);
/// x·(L·Lᵀ)⁻¹.
void divideByProduct(Matrix &x, const Matrix &factor);

} // namespace phantom::rt

#endif // PHANTOM_RT_MATRIX_H
