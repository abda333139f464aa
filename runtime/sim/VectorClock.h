//===- VectorClock.h - What happened before a command -----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_VECTORCLOCK_H
#define PHANTOM_SIM_VECTORCLOCK_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace phantom::rt::sim {

/// For each queue, how many of its commands are known to be done.
class VectorClock {
public:
  uint64_t at(size_t queue) const { return queue < ticks.size() ? ticks[queue] : 0; }

  void set(size_t queue, uint64_t tick) {
    if (queue >= ticks.size())
      ticks.resize(queue + 1, 0);
    ticks[queue] = tick;
  }

  void join(const VectorClock &other) {
    if (ticks.size() < other.ticks.size())
      ticks.resize(other.ticks.size(), 0);
    for (size_t i = 0; i < other.ticks.size(); ++i)
      ticks[i] = std::max(ticks[i], other.ticks[i]);
  }

private:
  std::vector<uint64_t> ticks;
};

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_VECTORCLOCK_H
