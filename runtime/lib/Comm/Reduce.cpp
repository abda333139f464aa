//===- Reduce.cpp - Sums over the ranks' window parts ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Reduce.h"

#include "../Core/VectorWidths.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cstring>

namespace phantom::rt {

template <typename T>
[[gnu::always_inline]] static inline void assign(T *__restrict to, const T *a, const T *b, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = a[i] + b[i];
}

template <typename T>
[[gnu::always_inline]] static inline void accumulate(T *__restrict to, const T *a, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] += a[i];
}

/// Sums `count` contiguous elements; `stride` elements lie between the parts
/// of one rank and the next.
template <typename T>
[[gnu::always_inline]] static inline void sumChunks(const T *first, int64_t stride, int64_t ranks, T *to,
                                                    int64_t count) {
  // A chunk of the destination stays in the first-level cache for all ranks.
  constexpr int64_t chunk = 2048;
  for (int64_t begin = 0; begin < count; begin += chunk) {
    const int64_t size = std::min(chunk, count - begin);
    if (ranks == 1) {
      std::memcpy(to + begin, first + begin, size * sizeof(T));
      continue;
    }
    assign(to + begin, first + begin, first + stride + begin, size);
    for (int64_t r = 2; r < ranks; ++r)
      accumulate(to + begin, first + r * stride + begin, size);
  }
}

PHANTOM_VECTOR_WIDTHS
static void sumRun(const float *first, int64_t stride, int64_t ranks, float *to, int64_t count) {
  sumChunks(first, stride, ranks, to, count);
}

PHANTOM_VECTOR_WIDTHS
static void sumRun(const double *first, int64_t stride, int64_t ranks, double *to, int64_t count) {
  sumChunks(first, stride, ranks, to, count);
}

template <typename T>
static int64_t reduce(const Exchange &exchange, const T *window, T *to, int64_t rank, int64_t ranks) {
  const int64_t inner = exchange.inner, part = fullElements(exchange, ranks);
  if (exchange.kind == ExchangeKind::AllReduce) {
    sumRun(window, part, ranks, to, part);
    return (ranks - 1) * part * int64_t(sizeof(T));
  }
  int64_t bytes = 0;
  for (int64_t o = 0; o < exchange.outer; ++o) {
    sumRun(window + (o * ranks + rank) * inner, part, ranks, to + o * inner, inner);
    bytes += (ranks - 1) * inner * int64_t(sizeof(T));
  }
  return bytes;
}

int64_t reduceParts(const Exchange &exchange, const std::byte *window, std::byte *destination, int64_t rank,
                    int64_t ranks) {
  switch (exchange.element) {
  case ElementType::F32:
    return reduce(exchange, reinterpret_cast<const float *>(window), reinterpret_cast<float *>(destination),
                  rank, ranks);
  case ElementType::F64:
    return reduce(exchange, reinterpret_cast<const double *>(window), reinterpret_cast<double *>(destination),
                  rank, ranks);
  default:
    llvm_unreachable("checked when the program is verified: reductions are of floats");
  }
}

} // namespace phantom::rt
