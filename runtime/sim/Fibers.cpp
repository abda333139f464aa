//===- Fibers.cpp - Threads of a block that meet at barriers --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fibers.h"

#include "SwitchStacks.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace phantom::rt::sim {

struct BlockRunner::Fiber {
  BlockRunner *runner = nullptr;
  void *const *arguments = nullptr;
  TwinThread thread;
  Stack stack;
  bool finished = false;
};

struct BlockRunner::Fibers {
  std::unique_ptr<Fiber[]> all;
  Stack main;
  std::vector<size_t> order; ///< of the threads, up to the next barrier
  size_t position = 0;       ///< of the one that runs

  Fiber &running() { return all[order[position]]; }
  /// Of the thread that is next; after the last, of the caller of `run`.
  Stack &next() { return ++position < order.size() ? running().stack : main; }
};

BlockRunner::BlockRunner(const KernelTwin &twin, int64_t threads) : twin(twin), threads(threads) {
  if (!twin.hasBarrier)
    return;
  fibers = std::make_unique<Fibers>();
  fibers->main.adoptCurrent();
  fibers->all = std::make_unique<Fiber[]>(size_t(threads));
  fibers->order.resize(size_t(threads));
  std::iota(fibers->order.begin(), fibers->order.end(), size_t(0));
}

BlockRunner::~BlockRunner() = default;

BlockRunner::Outcome BlockRunner::run(void *const *arguments, TwinThread prototype, std::mt19937_64 &random) {
  prototype.scheduler = this;
  prototype.threads = threads;
  if (fibers)
    return runFibers(arguments, prototype, random);
  // A rotation costs less than a shuffle, and already breaks what depends on thread 0 being the first.
  const int64_t first = int64_t(random() % uint64_t(threads));
  for (int64_t i = 0; i < threads; ++i) {
    TwinThread thread = prototype;
    thread.thread = (first + i) % threads;
    twin.run(arguments, &thread);
  }
  return metBarrier ? Outcome::UnknownBarrier : Outcome::Done;
}

BlockRunner::Outcome BlockRunner::runFibers(void *const *arguments, TwinThread prototype,
                                            std::mt19937_64 &random) {
  const auto body = [](void *data) -> Stack & {
    auto *fiber = static_cast<Fiber *>(data);
    fiber->runner->twin.run(fiber->arguments, &fiber->thread);
    fiber->finished = true;
    return fiber->runner->fibers->next();
  };
  for (int64_t i = 0; i < threads; ++i) {
    Fiber &fiber = fibers->all[i];
    fiber.runner = this;
    fiber.arguments = arguments;
    fiber.thread = prototype;
    fiber.thread.thread = i;
    fiber.finished = false;
    fiber.stack.begin(body, &fiber);
  }
  for (;;) {
    std::shuffle(fibers->order.begin(), fibers->order.end(), random);
    fibers->position = 0;
    switchStacks(fibers->main, fibers->running().stack);
    const auto finished = std::count_if(&fibers->all[0], &fibers->all[0] + threads,
                                        [](const Fiber &fiber) { return fiber.finished; });
    if (finished == threads)
      return Outcome::Done;
    if (finished != 0)
      return Outcome::Diverged;
  }
}

void BlockRunner::barrier() {
  if (!fibers) {
    metBarrier = true;
    return;
  }
  Stack &own = fibers->running().stack;
  switchStacks(own, fibers->next());
}

} // namespace phantom::rt::sim

extern "C" void phantom_twin_barrier(phantom::rt::TwinThread *thread) {
  static_cast<phantom::rt::sim::BlockRunner *>(thread->scheduler)->barrier();
}
