//===- Matrix.cpp - Linear algebra in f64 ---------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Matrix.h"

#include "phantom-rt/Error.h"

#include <algorithm>
#include <cblas.h>
#include <cmath>
#include <lapacke.h>
#include <limits>

using namespace llvm;

namespace phantom::rt {

Matrix block(const Matrix &whole, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  Matrix part(rows, columns);
  for (int64_t i = 0; i < rows; ++i)
    std::copy_n(whole.row(row + i) + column, columns, part.row(i));
  return part;
}

static Matrix product(const Matrix &a, const Matrix &b, bool transposed) {
  Matrix result(a.rows, transposed ? b.rows : b.columns);
  if (!result.values.empty() && a.columns > 0)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, a.rows, result.columns,
                a.columns, 1, a.values.data(), a.columns, b.values.data(), b.columns, 0, result.values.data(),
                result.columns);
  return result;
}

Matrix multiply(const Matrix &a, const Matrix &b) { return product(a, b, /*transposed=*/false); }
Matrix multiplyTransposed(const Matrix &a, const Matrix &b) { return product(a, b, /*transposed=*/true); }

double squaredNorm(const Matrix &a) {
  double sum = 0;
  for (double value : a.values)
    sum += value * value;
  return sum;
}

double relativeNorm(double error, double whole) {
  if (error == 0 || whole == 0)
    return error == 0 ? 0 : 1;
  return std::sqrt(error / whole);
}

static Error checkSize(const Matrix &a) {
  if (std::max(a.rows, a.columns) <= std::numeric_limits<lapack_int>::max())
    return Error::success();
  return makeError("a matrix of " + Twine(a.rows) + " by " + Twine(a.columns) +
                   " is too large for LAPACK's index type");
}

static Error svdError(lapack_int info) {
  return makeError(info > 0 ? "its singular value decomposition did not converge"
                            : "its singular value decomposition failed; the weight may hold NaN");
}

// LAPACK is column-major: a row-major matrix is its transpose there, so "u" holds the right singular vectors,
// one per contiguous column.

Expected<SingularValues> decompose(Matrix a) {
  if (Error error = checkSize(a))
    return error;
  const int64_t rank = std::min(a.rows, a.columns);
  SingularValues result{std::vector<double>(rank), Matrix(a.rows, rank), Matrix(rank, a.columns)};
  if (rank == 0)
    return result;
  if (lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', a.columns, a.rows, a.values.data(), a.columns,
                                       result.values.data(), result.right.values.data(), a.columns,
                                       result.left.values.data(), rank))
    return svdError(info);
  return result;
}

Expected<std::vector<double>> singularValues(Matrix a) {
  if (Error error = checkSize(a))
    return error;
  std::vector<double> values(std::min(a.rows, a.columns));
  double none = 0;
  if (values.empty())
    return values;
  if (lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', a.columns, a.rows, a.values.data(), a.columns,
                                       values.data(), &none, 1, &none, 1))
    return svdError(info);
  return values;
}

Expected<Matrix> choleskyFactor(Matrix a) {
  if (Error error = checkSize(a))
    return error;
  if (a.rows > 0 && LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', a.rows, a.values.data(), a.rows))
    return makeError("a covariance of its inputs is not positive definite");
  for (int64_t i = 0; i < a.rows; ++i)
    std::fill(a.row(i) + i + 1, a.row(i) + a.columns, 0.0);
  return a;
}

static void divide(Matrix &x, const Matrix &factor, CBLAS_TRANSPOSE transposed) {
  if (!x.values.empty())
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, transposed, CblasNonUnit, x.rows, x.columns, 1,
                factor.values.data(), factor.columns, x.values.data(), x.columns);
}

void divideByFactor(Matrix &x, const Matrix &factor) { divide(x, factor, CblasNoTrans); }

void divideByProduct(Matrix &x, const Matrix &factor) {
  divide(x, factor, CblasTrans);
  divide(x, factor, CblasNoTrans);
}

} // namespace phantom::rt
