//===- Fibers.h - Threads of a block that meet at barriers ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_FIBERS_H
#define PHANTOM_SIM_FIBERS_H

#include "phantom-rt/KernelTwin.h"

#include <memory>
#include <random>

namespace phantom::rt::sim {

/// Runs the threads of one block after another. Where the twin has barriers, each thread has a stack of its
/// own, and runs from one barrier to the next.
class BlockRunner {
public:
  explicit BlockRunner(const KernelTwin &twin, int64_t threads);
  ~BlockRunner();

  enum class Outcome : uint8_t {
    Done,
    Diverged,       ///< some threads ended while others were at a barrier
    UnknownBarrier, ///< the twin is said to have no barrier
  };

  /// Runs the block of `prototype`; threads take turns in a random order.
  Outcome run(void *const *arguments, TwinThread prototype, std::mt19937_64 &random);

  /// At a barrier of the running thread.
  void barrier();

private:
  struct Fiber;
  struct Fibers;

  Outcome runFibers(void *const *arguments, TwinThread prototype, std::mt19937_64 &random);

  const KernelTwin &twin;
  int64_t threads;
  bool metBarrier = false;
  std::unique_ptr<Fibers> fibers;
};

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_FIBERS_H
