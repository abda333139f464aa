//===- Random.h - Counter-based random numbers -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_RANDOM_H
#define PHANTOM_RT_RANDOM_H

#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>

namespace phantom::rt {

/// Philox4x32-10 (Salmon et al., SC 2011): ten rounds of a keyed bijection on
/// 128-bit counters. A number depends on key and counter alone, so that any
/// rank can draw any of them in any order.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// The key of the stream `name` under `seed`; the same on every platform.
std::array<uint32_t, 2> streamKey(uint64_t seed, llvm::StringRef name);

/// Uniform draws in (-1, 1), by index: word index % 4 of philox(index / 4)
/// gives 24 bits r, and the number is (2r + 1 - 2^24) / 2^24, exact in f32.
class UniformStream {
public:
  UniformStream(uint64_t seed, llvm::StringRef name) : key(streamKey(seed, name)) {}

  /// Calls put(i, number begin + i) for i in [0, count).
  template <typename Put> void draw(uint64_t begin, uint64_t count, Put put) const {
    std::array<uint32_t, 4> words{};
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t index = begin + i;
      if (i == 0 || index % 4 == 0)
        words = philox({uint32_t(index / 4), uint32_t((index / 4) >> 32), 0, 0}, key);
      int32_t bits = int32_t(words[index % 4] >> 8);
      put(i, double(2 * bits + 1 - (1 << 24)) * 0x1p-24);
    }
  }

private:
  std::array<uint32_t, 2> key;
};

/// A keyed permutation of [0, size): a Feistel network on the next even power
/// of two, walked until it lands inside. No table, so that any row of any
/// epoch can be found directly.
class Permutation {
public:
  Permutation(uint64_t size, uint64_t seed, uint64_t epoch);
  uint64_t operator()(uint64_t index) const;

private:
  uint64_t size;
  unsigned halfBits;
  uint32_t epochLow, epochHigh;
  std::array<uint32_t, 2> key;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RANDOM_H
