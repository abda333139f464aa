//===- Moments.h - Mean and covariance of rows ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MOMENTS_H
#define PHANTOM_RT_MOMENTS_H

#include "phantom-rt/Matrix.h"

namespace phantom::rt {

/// The first two moments of rows that come in pieces, in f64. Pieces are centred before they are squared, so
/// that a mean that is large beside the deviations cancels nothing.
class Moments {
public:
  explicit Moments(int64_t width) : average(width), scatter(width, width) {}

  void add(Matrix rows);
  /// Adds the rows that `other` has seen, of the same width.
  void add(const Moments &other);

  int64_t rows() const { return count; }
  llvm::ArrayRef<double> mean() const { return average; }
  /// The mean of (y - mean)·(y - mean)ᵀ; zeros where there are no rows.
  Matrix covariance() const;

private:
  /// Takes account of `added` rows whose squares about their own mean are in `scatter` already.
  void shift(std::vector<double> mean, int64_t added);

  int64_t count = 0;
  std::vector<double> average;
  Matrix scatter; ///< the lower triangle of the sum of squares about the mean
};

} // namespace phantom::rt

#endif // PHANTOM_RT_MOMENTS_H
