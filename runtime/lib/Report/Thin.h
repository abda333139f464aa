//===- Thin.h - Fewer points for the same line ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_THIN_H
#define PHANTOM_RT_LIB_REPORT_THIN_H

#include "llvm/ADT/ArrayRef.h"

#include <vector>

namespace phantom::rt::report {

/// Where `y` is NaN, a line is interrupted.
struct Point {
  double x, y;
};

/// A line of at most about `2 * buckets` points that has the first and the last point of a longer one, and
/// between them the smallest and the largest value of each of `buckets` parts, so that no spike is lost. It
/// is interrupted where a whole part has no value.
std::vector<Point> thin(llvm::ArrayRef<double> x, llvm::ArrayRef<double> y, size_t buckets);

/// At most about `count` points, from the first to the last: the median of the `window` values around each,
/// of fewer near the ends, where the line begins and ends with the values themselves.
std::vector<Point> medians(llvm::ArrayRef<double> x, llvm::ArrayRef<double> y, size_t count, size_t window);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_THIN_H
