//===- Nccl.h - Communicators and their collectives -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_NCCL_H
#define PHANTOM_SIM_NCCL_H

#include "Command.h"
#include "Handles.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <map>

namespace phantom::rt::sim {

class Sim;
struct Allocation;
struct World;

/// The n-th collective of a world: what each rank has queued for it.
struct Collective {
  World *world = nullptr;
  int64_t number = 0; ///< from 0 on
  /// What the first rank that came asked for; the others must ask for the same.
  CollectiveCall call;
  int firstRank = 0;
  int64_t window = -1; ///< the registered window that has the gathered or reduced buffer; -1: none
  size_t offset = 0;   ///< in it
  std::vector<std::shared_ptr<Op>> ops; ///< by rank; null: has not come; empty once it has run
  std::vector<uint64_t> issues; ///< by rank: its number of all that its device is given; 0: has not come
};

/// The n-th window that the ranks register.
struct WindowSet {
  size_t offset = 0; ///< in its allocation
  size_t bytes = 0;
  int flags = 0;
  int firstRank = 0;
  int registered = 0;
};

struct Communicator {
  enum class State : uint8_t { Joining, Ready, Finalizing, Finalized };

  World *world = nullptr;
  int rank = 0;
  int device = 0;
  bool blocking = true;
  State state = State::Joining;
  int status = 0;                ///< not 0: an asynchronous error
  int polls = 0;                 ///< how often it still says ncclInProgress
  Queue *issuingOn = nullptr;    ///< the stream of a collective that is in progress
  int64_t registering = -1;      ///< the window that is being registered
  int64_t issued = 0;            ///< collectives
  int64_t windowsRegistered = 0; ///< ever
};

/// The communicators of one unique id.
struct World {
  size_t number = 0;
  std::vector<Communicator *> members; ///< by rank; null: has not joined, or is gone
  int64_t joined = 0;                  ///< ever
  std::vector<std::unique_ptr<Collective>> collectives;
  std::vector<WindowSet> windows;

  int size() const { return int(members.size()); }
  bool complete() const { return joined == size(); }
};

struct RegisteredWindow {
  Communicator *communicator = nullptr;
  Allocation *allocation = nullptr;
  uintptr_t begin = 0;
  size_t bytes = 0;
  int64_t number = 0;
};

struct NcclState {
  uint64_t idsMade = 0;
  std::map<uint64_t, std::unique_ptr<World>> worlds; ///< by what their id holds
  Handles<Communicator> communicators;
  Handles<RegisteredWindow> windows;
  std::map<int, uint64_t> issues; ///< collectives that each device was given
};

/// Bytes of an element of ncclDataType_t; 0: there is no such type.
size_t ncclTypeBytes(int type);
bool canReduce(int type, int operation);
/// Reduces the ranks' buffers, in rank order.
void reduceBuffers(int type, int operation, llvm::function_ref<const std::byte *(int rank)> buffer, int ranks,
                   size_t count, std::byte *result);

/// "all-gather of 64 float32".
std::string textOf(const CollectiveCall &call);

/// What a rank's call reads and writes.
std::vector<Access> accessesOf(const CollectiveCall &call);

/// Makes a queued command its rank's part of the next collective; false, after a violation, where the ranks'
/// calls do not fit.
bool joinCollective(Sim &sim, const std::shared_ptr<Op> &op);

/// Whether all ranks have come to the collective that `op` is of, which is the first of its queue.
/// `progress`: a slow rank has come nearer.
bool isCollectiveReady(Sim &sim, Op &op, bool &progress);

/// Runs it for all ranks.
void runCollective(Sim &sim, Collective &collective);

/// The stream may be used again.
void endIssue(Communicator &communicator);

/// Breaks all communicators of a world.
void breakWorld(World &world, int status);

/// Runs commands, and lets other threads call, until `done`; false, after a violation: it takes too long.
bool waitFor(Sim &sim, llvm::function_ref<bool()> done, const char *what);

/// Whether a communicator may be given work: a NCCL status.
int checkReady(Sim &sim, const Communicator &communicator);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_NCCL_H
