//===- Deadlocks.cpp - Queues that wait for each other --------------------===//
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

// The queues that must move before the first command of `queue` can run.
static std::vector<const Queue *> blockers(const Queue &queue) {
  std::vector<const Queue *> found;
  if (queue.ops.empty())
    return found;
  const Op &op = *queue.ops.front();
  if (op.awaited && !op.awaited->done)
    found.push_back(op.awaited->queue);
  if (op.collective)
    for (const std::shared_ptr<Op> &part : op.collective->ops)
      if (part && !part->done && part->queue->ops.front() != part)
        found.push_back(part->queue);
  return found;
}

// Follows blockers from the end of `path` on; true: it has come back to a queue of the path, which is then
// cut to the circle.
static bool findCircle(std::vector<const Queue *> &path, std::vector<const Queue *> &visited) {
  for (const Queue *next : blockers(*path.back())) {
    const auto repeated = llvm::find(path, next);
    if (repeated != path.end()) {
      path.erase(path.begin(), repeated);
      return true;
    }
    if (llvm::is_contained(visited, next))
      continue;
    visited.push_back(next);
    path.push_back(next);
    if (findCircle(path, visited))
      return true;
    path.pop_back();
  }
  return false;
}

bool Sim::reportDeadlock() {
  std::vector<const Queue *> visited;
  for (const auto &queue : queues.all()) {
    std::vector<const Queue *> path = {queue.get()};
    if (llvm::is_contained(visited, queue.get()) || !findCircle(path, visited))
      continue;
    if (llvm::is_contained(deadlocks, path.front()->ops.front()->order))
      return true;
    std::string text;
    for (const Queue *member : path) {
      const Op &op = *member->ops.front();
      deadlocks.push_back(op.order);
      text += (text.empty() ? "" : ", which waits behind ") + op.text();
      if (op.collective)
        breakWorld(*op.collective->world, ncclInternalError);
    }
    violation("the streams wait for each other for ever: " + text + ", which waits behind the first");
    return true;
  }
  return false;
}

} // namespace phantom::rt::sim
