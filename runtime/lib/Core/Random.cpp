//===- Random.cpp - Counter-based random numbers --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Random.h"

namespace phantom::rt {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = uint64_t(0xD2511F53) * counter[0], product1 = uint64_t(0xCD9E8D57) * counter[2];
    counter = {uint32_t(product1 >> 32) ^ counter[1] ^ key[0], uint32_t(product1),
               uint32_t(product0 >> 32) ^ counter[3] ^ key[1], uint32_t(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The finaliser of SplitMix64: every input bit changes every output bit.
static uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

std::array<uint32_t, 2> streamKey(uint64_t seed, llvm::StringRef name) {
  uint64_t hash = 0xCBF29CE484222325; // FNV-1a, 64 bits
  for (unsigned char c : name)
    hash = (hash ^ c) * 0x100000001B3;
  uint64_t key = mix(hash ^ mix(seed + 0x9E3779B97F4A7C15));
  return {uint32_t(key), uint32_t(key >> 32)};
}

Permutation::Permutation(uint64_t size, uint64_t seed, uint64_t epoch)
    : size(size), halfBits(1), epochLow(uint32_t(epoch)), epochHigh(uint32_t(epoch >> 32)),
      key(streamKey(seed, "shuffle")) {
  while (halfBits < 31 && (uint64_t(1) << (2 * halfBits)) < size)
    ++halfBits;
}

uint64_t Permutation::operator()(uint64_t index) const {
  const uint64_t mask = (uint64_t(1) << halfBits) - 1;
  do {
    uint64_t left = index >> halfBits, right = index & mask;
    // Small domains need more rounds than large ones to look random; eight do.
    for (uint32_t round = 0; round < 8; ++round) {
      uint64_t next = left ^ (philox({uint32_t(right), round, epochLow, epochHigh}, key)[0] & mask);
      left = right;
      right = next;
    }
    index = left << halfBits | right;
  } while (index >= size);
  return index;
}

} // namespace phantom::rt
