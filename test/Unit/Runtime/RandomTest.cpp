//===- RandomTest.cpp - Tests of the random numbers -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Random.h"
#include "gtest/gtest.h"

#include <cmath>
#include <set>
#include <vector>

using namespace phantom::rt;

using Words = std::array<uint32_t, 4>;

// The known-answer vectors of the generator's authors.
TEST(Random, PhiloxKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, StreamsDependOnSeedAndName) {
  EXPECT_EQ(streamKey(1, "fc1.local"), streamKey(1, "fc1.local"));
  EXPECT_NE(streamKey(1, "fc1.local"), streamKey(2, "fc1.local"));
  EXPECT_NE(streamKey(1, "fc1.local"), streamKey(1, "fc2.local"));
}

TEST(Random, DrawsByIndexAgreeWithDrawsInOrder) {
  UniformStream stream(7, "w");
  std::vector<double> all(100);
  stream.draw(0, 100, [&](uint64_t i, double number) { all[i] = number; });
  for (uint64_t begin : {0u, 1u, 5u, 62u})
    stream.draw(begin, 30, [&](uint64_t i, double number) { EXPECT_EQ(number, all[begin + i]); });
}

TEST(Random, UniformIsSymmetricExactInSinglePrecisionAndOpen) {
  double sum = 0, squares = 0;
  const uint64_t count = 200000;
  UniformStream(3, "moments").draw(0, count, [&](uint64_t, double number) {
    EXPECT_EQ(double(float(number)), number);
    EXPECT_LT(std::abs(number), 1);
    sum += number;
    squares += number * number;
  });
  EXPECT_NEAR(sum / count, 0, 0.005);
  EXPECT_NEAR(squares / count, 1.0 / 3, 0.005);
}

TEST(Random, PermutationVisitsEachIndexOnce) {
  for (uint64_t size : {1u, 2u, 3u, 5u, 64u, 65u, 1437u}) {
    Permutation order(size, 11, 0);
    std::set<uint64_t> seen;
    for (uint64_t i = 0; i < size; ++i) {
      EXPECT_LT(order(i), size);
      seen.insert(order(i));
    }
    EXPECT_EQ(seen.size(), size);
  }
}

TEST(Random, PermutationsDifferBetweenEpochsAndSeeds) {
  auto moved = [](const Permutation &a, const Permutation &b) {
    int differences = 0;
    for (uint64_t i = 0; i < 1000; ++i)
      differences += a(i) != b(i);
    return differences;
  };
  Permutation first(1000, 1, 0);
  EXPECT_EQ(moved(first, Permutation(1000, 1, 0)), 0);
  EXPECT_GT(moved(first, Permutation(1000, 1, 1)), 980);
  EXPECT_GT(moved(first, Permutation(1000, 2, 0)), 980);
}
