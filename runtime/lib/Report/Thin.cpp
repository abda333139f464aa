//===- Thin.cpp - Fewer points for the same line --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Thin.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace llvm;

namespace phantom::rt::report {

static constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

std::vector<Point> thin(ArrayRef<double> x, ArrayRef<double> y, size_t buckets) {
  std::vector<Point> points;
  auto add = [&](size_t i) {
    if (points.empty() || points.back().x != x[i] || points.back().y != y[i])
      points.push_back({x[i], y[i]});
  };
  if (x.size() <= 2 * buckets) {
    for (size_t i = 0; i < x.size(); ++i)
      add(i);
    return points;
  }
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    const size_t begin = bucket * x.size() / buckets, end = (bucket + 1) * x.size() / buckets;
    size_t smallest = end, largest = end;
    for (size_t i = begin; i < end; ++i) {
      if (std::isnan(y[i]))
        continue;
      if (smallest == end || y[i] < y[smallest])
        smallest = i;
      if (largest == end || y[i] > y[largest])
        largest = i;
    }
    if (smallest == end) {
      points.push_back({x[begin], kGap});
      continue;
    }
    if (bucket == 0 && !std::isnan(y.front()))
      add(0);
    add(std::min(smallest, largest));
    add(std::max(smallest, largest));
    if (bucket == buckets - 1 && !std::isnan(y.back()))
      add(x.size() - 1);
  }
  return points;
}

std::vector<Point> medians(ArrayRef<double> x, ArrayRef<double> y, size_t count, size_t window) {
  std::vector<Point> points;
  if (x.empty())
    return points;
  const size_t last = x.size() - 1, steps = std::max<size_t>(1, std::min(count, last));
  std::vector<double> values;
  for (size_t step = 0; step <= steps; ++step) {
    const size_t i = last * step / steps, half = std::min({window / 2, i, last - i});
    values.clear();
    for (size_t k = i - half; k <= i + half; ++k)
      if (!std::isnan(y[k]))
        values.push_back(y[k]);
    if (values.empty()) {
      points.push_back({x[i], kGap});
      continue;
    }
    auto middle = values.begin() + values.size() / 2;
    std::nth_element(values.begin(), middle, values.end());
    points.push_back({x[i], *middle});
  }
  return points;
}

} // namespace phantom::rt::report
