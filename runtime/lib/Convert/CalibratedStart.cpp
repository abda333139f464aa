//===- CalibratedStart.cpp - A phantom layer's start from its inputs ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/CalibratedStart.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/LowRank.h"

#include <algorithm>
#include <cblas.h>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

Matrix weighting(const Moments &inputs, bool hasBias) {
  Matrix result = inputs.covariance();
  const int64_t n = result.rows;
  ArrayRef<double> mean = inputs.mean();
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n && !hasBias; ++j)
      result.row(i)[j] += mean[i] * mean[j];
    trace += result.row(i)[i];
  }
  // Differences of about the rounding of f32 say nothing. Where there are no others, all directions count
  // alike.
  constexpr double rounding = 1e-5;
  const double noise = rounding * rounding * cblas_ddot(n, mean.data(), 1, mean.data(), 1);
  const double ridge = trace + noise > 0 ? (kRidge * trace + noise) / double(n) : 1;
  for (int64_t i = 0; i < n; ++i)
    result.row(i)[i] += ridge;
  return result;
}

/// The compressor [k, m_in] of rank `source`, with rows that are orthonormal where the weighting is the
/// identity.
static Expected<Matrix> compressor(const PhantomLayer &layer, const Matrix &weight, const Matrix &weighting,
                                   int64_t source) {
  const int64_t mIn = layer.in / layer.ranks;
  Expected<Matrix> root = choleskyFactor(block(weighting, source * mIn, mIn, source * mIn, mIn));
  if (!root)
    return root.takeError();
  Expected<SingularValues> svd = decompose(multiply(offDiagonalBlocks(weight, layer.ranks, source), *root));
  if (!svd)
    return svd.takeError();
  Matrix rows = block(svd->right, 0, layer.ghostWidth, 0, mIn);
  divideByFactor(rows, *root);
  return rows;
}

namespace {

/// The least-squares problem of all destinations: what the layer computes is a linear function of the own
/// inputs and of the other ranks' ghosts, which are linear functions of the inputs themselves.
class LeastSquares {
public:
  LeastSquares(const PhantomLayer &layer, const Matrix &weight, const Matrix &weighting,
               const Matrix &compressors);

  /// Solves for rank `rank`: its rows of `factors`' local weights and decompressors.
  Error solve(int64_t rank, PhantomFactors &factors) const;

private:
  Matrix momentsOf(int64_t rank) const;
  Matrix targetsOf(int64_t rank) const;

  const PhantomLayer &layer;
  const Matrix &weight, &weighting;
  const int64_t p, k, mIn, mOut;
  Matrix withGhosts; ///< [n_in, p·k]: inputs with ghosts
  Matrix ofGhosts;   ///< [p·k, p·k]: ghosts with ghosts
};

LeastSquares::LeastSquares(const PhantomLayer &layer, const Matrix &weight, const Matrix &weighting,
                           const Matrix &compressors)
    : layer(layer), weight(weight), weighting(weighting), p(layer.ranks), k(layer.ghostWidth),
      mIn(layer.in / p), mOut(layer.out / p), withGhosts(layer.in, p * k), ofGhosts(p * k, p * k) {
  if (k == 0)
    return;
  for (int64_t i = 0; i < p; ++i)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, layer.in, k, mIn, 1, weighting.row(0) + i * mIn,
                layer.in, compressors.row(i * k), mIn, 0, withGhosts.row(0) + i * k, p * k);
  for (int64_t i = 0; i < p; ++i)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, k, p * k, mIn, 1, compressors.row(i * k), mIn,
                withGhosts.row(i * mIn), p * k, 0, ofGhosts.row(i * k), p * k);
}

/// What the ghosts of all ranks but `rank` are among `values` [p·k].
static void copyOthers(const double *values, int64_t p, int64_t k, int64_t rank, double *to) {
  to = std::copy_n(values, rank * k, to);
  std::copy_n(values + (rank + 1) * k, (p - 1 - rank) * k, to);
}

/// [m_in + (p-1)·k, the same]: own inputs, then ghosts.
Matrix LeastSquares::momentsOf(int64_t rank) const {
  const int64_t size = mIn + (p - 1) * k;
  Matrix result(size, size);
  for (int64_t i = 0; i < mIn; ++i) {
    std::copy_n(weighting.row(rank * mIn + i) + rank * mIn, mIn, result.row(i));
    copyOthers(withGhosts.row(rank * mIn + i), p, k, rank, result.row(i) + mIn);
    for (int64_t q = mIn; q < size; ++q)
      result.row(q)[i] = result.row(i)[q];
  }
  int64_t row = mIn;
  for (int64_t q = 0; q < p * k; ++q)
    if (q / k != rank)
      copyOthers(ofGhosts.row(q), p, k, rank, result.row(row++) + mIn);
  return result;
}

/// [m_out, m_in + (p-1)·k]: outputs with own inputs, then ghosts.
Matrix LeastSquares::targetsOf(int64_t rank) const {
  Matrix rows = block(weight, rank * mOut, mOut, 0, layer.in);
  Matrix inputs = multiply(rows, block(weighting, 0, layer.in, rank * mIn, mIn)),
         ghosts = multiply(rows, withGhosts), result(mOut, mIn + (p - 1) * k);
  for (int64_t i = 0; i < mOut; ++i) {
    std::copy_n(inputs.row(i), mIn, result.row(i));
    copyOthers(ghosts.row(i), p, k, rank, result.row(i) + mIn);
  }
  return result;
}

Error LeastSquares::solve(int64_t rank, PhantomFactors &factors) const {
  Expected<Matrix> root = choleskyFactor(momentsOf(rank));
  if (!root)
    return root.takeError();
  Matrix solution = targetsOf(rank);
  divideByProduct(solution, *root);
  for (int64_t i = 0; i < mOut; ++i) {
    std::copy_n(solution.row(i), mIn, factors.local.row(rank * mOut + i));
    const double *value = solution.row(i) + mIn;
    for (int64_t q = 0; q < p * k; ++q)
      if (q / k != rank)
        factors.decompressors.row(rank * p * k + q)[i] = *value++;
  }
  return Error::success();
}

} // namespace

/// Scales each compressor row, and the decompressor column that it belongs to, to equal norms.
static void balance(const PhantomLayer &layer, PhantomFactors &factors) {
  const int64_t p = layer.ranks, ghosts = p * layer.ghostWidth, mIn = layer.in / p, mOut = layer.out / p;
  for (int64_t q = 0; q < ghosts; ++q) {
    double *row = factors.compressors.row(q), outer = 0;
    const double inner = cblas_dnrm2(mIn, row, 1);
    for (int64_t j = 0; j < p; ++j)
      outer = std::hypot(outer, cblas_dnrm2(mOut, factors.decompressors.row(j * ghosts + q), 1));
    if (inner == 0 || outer == 0)
      continue;
    const double scale = std::sqrt(outer / inner);
    cblas_dscal(mIn, scale, row, 1);
    for (int64_t j = 0; j < p; ++j)
      cblas_dscal(mOut, 1 / scale, factors.decompressors.row(j * ghosts + q), 1);
  }
}

Expected<PhantomFactors> calibratedFactors(const PhantomLayer &layer, const Matrix &weight,
                                           const Matrix &weighting) {
  const int64_t p = layer.ranks, k = layer.ghostWidth, mIn = layer.in / p, mOut = layer.out / p;
  PhantomFactors factors{Matrix(layer.out, mIn), Matrix(p * k, mIn), Matrix(p * p * k, mOut)};
  for (int64_t i = 0; i < p && k > 0; ++i) {
    Expected<Matrix> rows = compressor(layer, weight, weighting, i);
    if (!rows)
      return rows.takeError();
    std::copy(rows->values.begin(), rows->values.end(), factors.compressors.row(i * k));
  }
  LeastSquares problem(layer, weight, weighting, factors.compressors);
  for (int64_t j = 0; j < p; ++j)
    if (Error error = problem.solve(j, factors))
      return error;
  balance(layer, factors);
  return factors;
}

/// a·x
static std::vector<double> apply(const Matrix &a, ArrayRef<double> x) {
  std::vector<double> result(a.rows);
  cblas_dgemv(CblasRowMajor, CblasNoTrans, a.rows, a.columns, 1, a.values.data(), a.columns, x.data(), 1, 0,
              result.data(), 1);
  return result;
}

static Matrix difference(const Matrix &a, const Matrix &b) {
  Matrix result = a;
  cblas_daxpy(int64_t(b.values.size()), -1, b.values.data(), 1, result.values.data(), 1);
  return result;
}

std::vector<double> biasFix(const Matrix &weight, const Matrix &composed, ArrayRef<double> mean) {
  return apply(difference(weight, composed), mean);
}

/// The mean square of Ay + b.
static double meanSquare(const Matrix &a, ArrayRef<double> b, const Moments &inputs) {
  const Matrix product = multiply(a, inputs.covariance());
  double sum = cblas_ddot(int64_t(a.values.size()), a.values.data(), 1, product.values.data(), 1);
  std::vector<double> mean = apply(a, inputs.mean());
  for (size_t i = 0; i < mean.size(); ++i)
    sum += (mean[i] + b[i]) * (mean[i] + b[i]);
  return std::max(sum, 0.0);
}

double outputError(const Matrix &weight, ArrayRef<double> bias, const Matrix &composed,
                   ArrayRef<double> biasChange, const Moments &inputs) {
  return relativeNorm(meanSquare(difference(composed, weight), biasChange, inputs),
                      meanSquare(weight, bias, inputs));
}

} // namespace phantom::rt
