//===- Moments.cpp - Mean and covariance of rows --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Moments.h"

#include <cblas.h>

using namespace llvm;

namespace phantom::rt {

void Moments::add(Matrix rows) {
  const int64_t width = rows.columns;
  if (rows.rows == 0 || width == 0)
    return;
  std::vector<double> mean(width);
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      mean[j] += rows.row(i)[j];
  for (double &value : mean)
    value /= double(rows.rows);
  for (int64_t i = 0; i < rows.rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      rows.row(i)[j] -= mean[j];
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, width, rows.rows, 1, rows.values.data(), width, 1,
              scatter.values.data(), width);
  shift(std::move(mean), rows.rows);
}

void Moments::add(const Moments &other) {
  if (other.count == 0)
    return;
  cblas_daxpy(int64_t(scatter.values.size()), 1, other.scatter.values.data(), 1, scatter.values.data(), 1);
  shift(other.average, other.count);
}

void Moments::shift(std::vector<double> mean, int64_t added) {
  const int64_t width = scatter.rows, total = count + added;
  for (int64_t j = 0; j < width; ++j) {
    mean[j] -= average[j];
    average[j] += mean[j] * double(added) / double(total);
  }
  cblas_dsyr(CblasRowMajor, CblasLower, width, double(count) * double(added) / double(total), mean.data(), 1,
             scatter.values.data(), width);
  count = total;
}

Matrix Moments::covariance() const {
  Matrix result = scatter;
  for (int64_t i = 0; i < result.rows; ++i)
    for (int64_t j = 0; j <= i; ++j)
      result.row(i)[j] = result.row(j)[i] = count ? scatter.row(i)[j] / double(count) : 0;
  return result;
}

} // namespace phantom::rt
