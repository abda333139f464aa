//===- Product.cpp - A product of cuBLASLt, for tests -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Product.h"

#include <cmath>

namespace phantom::rt::test {

std::vector<float> numbers(size_t count, int seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = float(int((i * 37 + size_t(seed) * 101) % 199) - 99) / 64;
  return values;
}

double geluOf(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

double geluSlopeOf(double x) { return (geluOf(x + 1e-5) - geluOf(x - 1e-5)) / 2e-5; }

std::vector<double> multiply(const std::vector<float> &a, bool ta, const std::vector<float> &b, bool tb,
                             size_t m, size_t n, size_t k) {
  std::vector<double> d(m * n);
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < n; ++j)
      for (size_t l = 0; l < k; ++l)
        d[i + j * m] += double(ta ? a[l + i * k] : a[i + l * m]) * double(tb ? b[j + l * n] : b[l + j * k]);
  return d;
}

void expectClose(const std::vector<float> &got, const std::vector<double> &wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  double most = 0;
  for (double value : wanted)
    most = std::max(most, std::abs(value));
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], 1e-5 * most) << i;
}

Operands::Operands(Bench &bench)
    : stream(bench.stream()), aValues(numbers(m * k, 1)), bValues(numbers(k * n, 2)),
      wanted(multiply(aValues, false, bValues, false, m, n, k)), a(bench.device(stream, aValues)),
      b(bench.device(stream, bValues)), d(bench.device(m * n)) {}

} // namespace phantom::rt::test
