//===- Races.cpp - Commands that nothing orders ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::rt::sim {

static std::string verb(const Access &access, const Allocation &allocation) {
  return (access.writes ? " writes " : " reads ") + textOf(access.region, allocation);
}

void Sim::checkOrder(const Op &op, const VectorClock &before) {
  for (const Access &access : op.command->accesses) {
    if (access.region.empty())
      continue;
    Allocation *allocation = memory.find(reinterpret_cast<const void *>(access.region.begin));
    if (!allocation || !allocation->live)
      continue;
    const size_t queue = op.queue->index;
    for (const Allocation::Touch &touch : allocation->touches) {
      const bool same = touch.queue == queue && touch.tick == op.place;
      if (same || before.at(touch.queue) >= touch.tick || !(access.writes || touch.access.writes) ||
          !overlap(access.region, touch.access.region))
        continue;
      violation(op.text() + verb(access, *allocation) + "; nothing orders it with " + touch.text + ", which" +
                verb(touch.access, *allocation));
    }
    // Whoever races with one of these also races with this command.
    llvm::erase_if(allocation->touches, [&](const Allocation::Touch &touch) {
      const bool ordered = before.at(touch.queue) >= touch.tick;
      const bool implied = access.writes || (!touch.access.writes && touch.queue == queue);
      return ordered && implied && covers(access.region, touch.access.region);
    });
    allocation->touches.push_back({access, op.text(), op.queue->device, queue, op.place});
  }
}

} // namespace phantom::rt::sim
