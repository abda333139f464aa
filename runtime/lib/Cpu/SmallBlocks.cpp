//===- SmallBlocks.cpp - Keeps small blocks out of the way of large ones --===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SmallBlocks.h"

#include <cstdlib>
#include <vector>

namespace phantom::rt {

void reserveSmallBlocks() {
  constexpr size_t smallest = 24, largest = 1032, step = 16, perSize = 7;
  std::vector<void *> blocks;
  for (size_t size = smallest; size <= largest; size += step)
    for (size_t i = 0; i < perSize; ++i)
      blocks.push_back(std::malloc(size));
  for (void *block : blocks)
    std::free(block);
}

} // namespace phantom::rt
