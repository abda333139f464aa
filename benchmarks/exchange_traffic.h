//===- exchange_traffic.h - What all measured exchanges do -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loads and stores around an exchange, the sizes and the output: the same for
// every contestant of benchmarks/exchanges.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_BENCHMARKS_EXCHANGE_TRAFFIC_H
#define PHANTOM_BENCHMARKS_EXCHANGE_TRAFFIC_H

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace traffic {

using Clock = std::chrono::steady_clock;

inline constexpr int ranks = 2;
inline constexpr int64_t smallest = 4 << 10, largest = 1 << 20; ///< bytes of a block
inline constexpr int64_t leastRounds = 20;

inline double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Not inlined, so that all contestants run the same instructions.

[[gnu::noinline]] inline void write(float *to, int64_t count, float value) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = value;
}

/// A sum that the compiler may not leave out; integers, so that it may vectorise it.
[[gnu::noinline]] inline void read(const float *from, int64_t count) {
  const auto *words = reinterpret_cast<const uint32_t __attribute__((may_alias)) *>(from);
  uint32_t sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += words[i];
  asm volatile("" : : "r"(sum) : "memory");
}

[[gnu::noinline]] inline void add(float *__restrict to, const float *a, const float *b, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = a[i] + b[i];
}

/// By round, the slower rank's time.
inline std::vector<double> slower(const std::vector<double> &one, const std::vector<double> &other) {
  std::vector<double> result(one.size());
  std::transform(one.begin(), one.end(), other.begin(), result.begin(),
                 [](double a, double b) { return std::max(a, b); });
  return result;
}

inline double median(std::vector<double> values) {
  auto middle = values.begin() + long(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

inline void print(const char *contestant, const char *kind, int64_t bytes, double seconds) {
  std::printf("%s %s %lld %.9g\n", contestant, kind, static_cast<long long>(bytes), seconds);
}

} // namespace traffic

#endif // PHANTOM_BENCHMARKS_EXCHANGE_TRAFFIC_H
