//===- Command.h - Commands and the queues that they wait in ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_COMMAND_H
#define PHANTOM_SIM_COMMAND_H

#include "Region.h"
#include "VectorClock.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phantom::rt::sim {

struct Capture;
struct Communicator;
struct Collective;
struct Event;
struct LoadedLibrary;
struct Op;
struct Queue;

struct Access {
  Region region;
  bool writes = false;
};

/// A rank's call of a collective.
struct CollectiveCall {
  enum class Kind : uint8_t { AllGather, ReduceScatter, AllReduce, AllToAll };

  Kind kind = Kind::AllGather;
  Communicator *communicator = nullptr;
  const void *send = nullptr;
  void *receive = nullptr;
  size_t count = 0;
  int type = 0;
  int operation = 0; ///< of reductions

  bool isReduction() const { return kind == Kind::ReduceScatter || kind == Kind::AllReduce; }
};

/// What a call asks a queue to do. A graph queues the same command many times.
struct Command {
  enum class Kind : uint8_t { Kernel, Gemm, Copy, Set, Collective, Record, Wait };

  Kind kind = Kind::Kernel;
  std::string label; ///< "kernel 'relu'"
  std::vector<Access> accesses;
  std::function<void(const Op &)> run; ///< of what is not a collective, record or wait
  std::optional<CollectiveCall> collective;
  const LoadedLibrary *library = nullptr; ///< of a kernel
  double seconds = 2e-6;                  ///< on the clock that events show
  /// The bytes that a copy reads from pinned memory: the host must leave them alone until it is done.
  std::optional<Region> hostSource;
};

/// A command in a queue.
struct Op {
  std::shared_ptr<const Command> command;
  Queue *queue = nullptr;
  uint64_t place = 0;          ///< in its queue, from 1 on
  uint64_t order = 0;          ///< of all commands
  VectorClock host;            ///< what the host knew when it queued it
  VectorClock clock;           ///< what is done before it and with it, once it has run
  double end = 0;              ///< once it has run
  std::shared_ptr<Op> awaited; ///< the record that a wait waits for
  Collective *collective = nullptr;
  int rank = 0;     ///< of a collective
  int64_t late = 0; ///< steps until a slow rank arrives
  uint64_t sourceHash = 0;
  bool done = false;

  /// "kernel 'relu' (device 0, stream 1, command 3)".
  std::string text() const;
};

/// Of bytes that the host can read.
uint64_t hashOf(const Region &host);

/// A stream, or a branch of a graph, which runs like one.
struct Queue {
  size_t index = 0; ///< in vector clocks
  int device = 0;
  int number = 0; ///< of the device's streams
  int priority = 0;
  int64_t chance = 0; ///< of SchedulePolicy::Priorities
  uint64_t queued = 0;
  std::deque<std::shared_ptr<Op>> ops; ///< that have not run
  std::shared_ptr<Op> last;            ///< the last queued
  VectorClock clock;                   ///< of the last that ran
  double time = 0;
  std::shared_ptr<Capture> capture; ///< where the stream records what it is given
  Communicator *issuing = nullptr;  ///< whose ncclInProgress nobody has seen the end of
  std::string name;                 ///< "stream 1", "branch 0 of graph 2"
};

struct Event {
  int device = 0;
  bool timing = true;
  std::shared_ptr<Op> record;       ///< the last one
  std::shared_ptr<Capture> capture; ///< where the last record is in, if in one
  size_t node = 0;                  ///< of it
};

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_COMMAND_H
