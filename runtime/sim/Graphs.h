//===- Graphs.h - Graphs: while they are recorded, and ready to launch -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_GRAPHS_H
#define PHANTOM_SIM_GRAPHS_H

#include "Command.h"

#include <thread>

namespace phantom::rt::sim {

/// What streams are given between begin and end of a capture. Each stream is a branch; branch 0 began it.
struct Capture {
  struct Node {
    std::shared_ptr<const Command> command;
    size_t branch = 0;
    size_t awaited = 0; ///< of a wait: the node that is the record
    VectorClock before; ///< by branch: how many nodes are before it or are it
  };

  int mode = 0;
  std::thread::id thread;
  std::vector<Queue *> streams; ///< by branch
  std::vector<VectorClock> clocks;
  std::vector<Node> nodes;
  bool open = true;
  bool spoilt = false; ///< by a call that it does not allow

  /// Appends to a branch; returns the node.
  size_t add(size_t branch, std::shared_ptr<const Command> command, size_t awaited = 0);
  size_t branchOf(const Queue &queue) const;
};

struct Graph {
  std::shared_ptr<const Capture> capture;
};

struct GraphExec {
  std::shared_ptr<const Capture> capture;
  std::vector<Queue *> branches;
};

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_GRAPHS_H
