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
  Fiber *running = nullptr;
};

BlockRunner::BlockRunner(const KernelTwin &twin, int64_t threads) : twin(twin), threads(threads) {
  if (!twin.hasBarrier)
    return;
  fibers = std::make_unique<Fibers>();
  fibers->main.adoptCurrent();
  fibers->all = std::make_unique<Fiber[]>(size_t(threads));
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
  const auto body = [](void *data) {
    auto *fiber = static_cast<Fiber *>(data);
    fiber->runner->twin.run(fiber->arguments, &fiber->thread);
    fiber->finished = true;
  };
  for (int64_t i = 0; i < threads; ++i) {
    Fiber &fiber = fibers->all[i];
    fiber.runner = this;
    fiber.arguments = arguments;
    fiber.thread = prototype;
    fiber.thread.thread = i;
    fiber.finished = false;
    fiber.stack.begin(body, &fiber, fibers->main);
  }
  std::vector<size_t> order(static_cast<size_t>(threads));
  std::iota(order.begin(), order.end(), size_t(0));
  for (;;) {
    std::shuffle(order.begin(), order.end(), random);
    for (size_t i : order) {
      fibers->running = &fibers->all[i];
      switchStacks(fibers->main, fibers->running->stack);
    }
    const auto finished = std::count_if(&fibers->all[0], &fibers->all[0] + threads,
                                        [](const Fiber &fiber) { return fiber.finished; });
    if (finished == threads)
      return Outcome::Done;
    if (finished != 0)
      return Outcome::Diverged;
  }
}

void BlockRunner::barrier() {
  if (fibers)
    switchStacks(fibers->running->stack, fibers->main);
  else
    metBarrier = true;
}

} // namespace phantom::rt::sim

extern "C" void phantom_twin_barrier(phantom::rt::TwinThread *thread) {
  static_cast<phantom::rt::sim::BlockRunner *>(thread->scheduler)->barrier();
}
