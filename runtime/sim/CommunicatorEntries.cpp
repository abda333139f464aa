//===- CommunicatorEntries.cpp - The life of communicators ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>
#include <cstring>

using namespace llvm;

namespace phantom::rt::sim {

using State = Communicator::State;

// Of NCCL 2.28.9.
static constexpr int version = 22809;
static constexpr unsigned configMagic = 0xcafebeef;

//===----------------------------------------------------------------------===//
// Shared
//===----------------------------------------------------------------------===//

bool waitFor(Sim &sim, function_ref<bool()> done, const char *what) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  ++sim.counts.hostWaits;
  while (!done()) {
    if (std::chrono::duration<double>(Clock::now() - begin).count() > sim.options.hangSeconds) {
      sim.refuse(0, Twine("hangs: it waits for ") + what);
      return false;
    }
    if (!sim.step(/*unasked=*/false))
      sim.pause();
  }
  return true;
}

void endIssue(Communicator &communicator) {
  if (communicator.issuingOn)
    communicator.issuingOn->issuing = nullptr;
  communicator.issuingOn = nullptr;
}

void breakWorld(World &world, int status) {
  for (Communicator *member : world.members)
    if (member && member->status == 0)
      member->status = status;
}

int checkReady(Sim &sim, const Communicator &communicator) {
  if (communicator.status != 0)
    return communicator.status;
  if (communicator.state != State::Ready || communicator.issuingOn || communicator.registering >= 0)
    return sim.refuse(ncclInvalidUsage,
                      "the communicator is used while " +
                          Twine(communicator.state == State::Joining      ? "it is being made"
                                : communicator.state == State::Ready      ? "an earlier call is in progress"
                                : communicator.state == State::Finalizing ? "it is being finalized"
                                                                          : "it is finalized") +
                          ": poll ncclCommGetAsyncError until it gives ncclSuccess");
  return ncclSuccess;
}

// Commands of a communicator that have not run.
static std::vector<std::shared_ptr<Op>> pendingOf(Sim &sim, const Communicator &communicator) {
  std::vector<std::shared_ptr<Op>> pending;
  for (const auto &queue : sim.queues.all())
    for (const std::shared_ptr<Op> &op : queue->ops)
      if (op->collective && op->command->collective->communicator == &communicator)
        pending.push_back(op);
  return pending;
}

// Takes a communicator out of its world; what it has queued ends without a result.
static void remove(Sim &sim, Communicator &communicator) {
  for (const std::shared_ptr<Op> &op : pendingOf(sim, communicator))
    sim.drop(op);
  for (const auto &window : sim.nccl.windows.allLive())
    if (window->communicator == &communicator) {
      --window->allocation->windows;
      sim.nccl.windows.remove(*window);
    }
  endIssue(communicator);
  communicator.world->members[size_t(communicator.rank)] = nullptr;
  sim.nccl.communicators.remove(communicator);
}

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

static int ncclGetVersion(Sim &, int *result) {
  *result = version;
  return ncclSuccess;
}

static int ncclGetUniqueId(Sim &sim, gpu::UniqueId *id) {
  const uint64_t number = ++sim.nccl.idsMade;
  std::memset(id, 0, sizeof(*id));
  std::memcpy(id->bytes, &number, sizeof(number));
  return ncclSuccess;
}

// The world of an id; null, after a violation.
static World *findWorld(Sim &sim, const gpu::UniqueId &id, int ranks) {
  uint64_t number = 0;
  std::memcpy(&number, id.bytes, sizeof(number));
  if (number == 0 || number > sim.nccl.idsMade) {
    sim.refuse(0, "the unique id is not from ncclGetUniqueId");
    return nullptr;
  }
  std::unique_ptr<World> &world = sim.nccl.worlds[number];
  if (!world) {
    world = std::make_unique<World>();
    world->number = sim.nccl.worlds.size() - 1;
    world->members.resize(size_t(ranks));
  }
  if (world->size() == ranks)
    return world.get();
  sim.refuse(0, "another rank said that there are " + Twine(world->size()) + " ranks, not " + Twine(ranks));
  return nullptr;
}

// What is wrong with the arguments; a status after a violation, or 0.
static int checkInit(Sim &sim, int ranks, int rank, const gpu::CommConfig *config) {
  if (config && (config->size != sizeof(gpu::CommConfig) || config->magic != configMagic))
    return sim.refuse(ncclInvalidArgument, "the configuration is not as NCCL_CONFIG_INITIALIZER makes it");
  if (ranks < 1 || rank < 0 || rank >= ranks)
    return sim.refuse(ncclInvalidArgument, "there is no rank " + Twine(rank) + " of " + Twine(ranks));
  return ncclSuccess;
}

static int checkMember(Sim &sim, const World &world, int rank) {
  if (world.members[size_t(rank)])
    return sim.refuse(ncclInvalidUsage, "rank " + Twine(rank) + " has joined already");
  for (const Communicator *member : world.members)
    if (member && member->device == sim.currentDevice())
      return sim.refuse(ncclInvalidUsage, "ranks " + Twine(member->rank) + " and " + Twine(rank) +
                                              " are both on device " + Twine(member->device) +
                                              ": NCCL needs a device for each rank");
  return ncclSuccess;
}

static int ncclCommInitRankConfig(Sim &sim, gpu::Comm *comm, int ranks, gpu::UniqueId id, int rank,
                                  gpu::CommConfig *config) {
  *comm = nullptr;
  if (sim.forbiddenByCapture() || sim.devices.empty() || sim.devices[sim.currentDevice()].status != 0)
    return ncclUnhandledCudaError;
  if (int status = checkInit(sim, ranks, rank, config))
    return status;
  World *world = findWorld(sim, id, ranks);
  if (!world)
    return ncclInvalidArgument;
  if (int status = checkMember(sim, *world, rank))
    return status;
  Communicator &made = sim.nccl.communicators.add();
  made.world = world;
  made.rank = rank;
  made.device = sim.currentDevice();
  made.blocking = !config || config->blocking != 0;
  made.polls = sim.options.ncclPolls;
  world->members[size_t(rank)] = &made;
  const bool dead = llvm::any_of(sim.options.faults.deadRanks, [&](const RankFault &fault) {
    return fault.rank == rank && fault.collective == 0;
  });
  world->joined += !dead;
  *comm = reinterpret_cast<gpu::Comm>(&made);
  if (!made.blocking)
    return ncclInProgress;
  if (!waitFor(sim, [&] { return world->complete() || made.status != 0; }, "the other ranks to join"))
    return ncclInternalError;
  made.state = State::Ready;
  return made.status;
}

//===----------------------------------------------------------------------===//
// Progress and end
//===----------------------------------------------------------------------===//

// Whether what the communicator is doing is over.
static bool isOver(Sim &sim, Communicator &communicator) {
  if (communicator.state == State::Joining && !communicator.world->complete())
    return false;
  if (communicator.registering >= 0 &&
      communicator.world->windows[size_t(communicator.registering)].registered < communicator.world->size())
    return false;
  if (communicator.state == State::Finalizing && !pendingOf(sim, communicator).empty())
    return false;
  return communicator.polls-- <= 0;
}

static int ncclCommGetAsyncError(Sim &sim, gpu::Comm comm, int *status) {
  Communicator *found = sim.need(sim.nccl.communicators, comm, "the communicator");
  if (!found)
    return ncclInvalidArgument;
  sim.poll();
  *status = found->status;
  const bool busy = found->state == State::Joining || found->state == State::Finalizing || found->issuingOn ||
                    found->registering >= 0;
  if (found->status != 0)
    endIssue(*found);
  if (found->status != 0 || !busy)
    return ncclSuccess;
  if (!isOver(sim, *found)) {
    *status = ncclInProgress;
    return ncclSuccess;
  }
  endIssue(*found);
  found->registering = -1;
  if (found->state != State::Ready)
    found->state = found->state == State::Joining ? State::Ready : State::Finalized;
  return ncclSuccess;
}

static int ncclCommFinalize(Sim &sim, gpu::Comm comm) {
  Communicator *found = sim.need(sim.nccl.communicators, comm, "the communicator");
  if (!found)
    return ncclInvalidArgument;
  if (int status = checkReady(sim, *found))
    return status;
  found->state = State::Finalizing;
  found->polls = sim.options.ncclPolls;
  if (!found->blocking)
    return ncclInProgress;
  if (!waitFor(sim, [&] { return pendingOf(sim, *found).empty() || found->status != 0; }, "its collectives"))
    return ncclInternalError;
  found->state = State::Finalized;
  return found->status;
}

template <typename Holder>
static bool holdsCollectives(const Handles<Holder> &graphs, const Communicator &communicator) {
  return llvm::any_of(graphs.allLive(), [&](const auto &graph) {
    return llvm::any_of(graph->capture->nodes, [&](const Capture::Node &node) {
      return node.command->collective && node.command->collective->communicator == &communicator;
    });
  });
}

// NCCL ends a communicator, by whichever call, once no graph refers to it any more.
static void checkNoGraphs(Sim &sim, const Communicator &communicator) {
  if (holdsCollectives(sim.graphs, communicator) || holdsCollectives(sim.graphExecs, communicator))
    sim.refuse(0,
               "the communicator ends while a graph holds collectives of it, and waits for the end of that "
               "graph for ever: destroy the graph before");
}

static int ncclCommDestroy(Sim &sim, gpu::Comm comm) {
  Communicator *found = sim.need(sim.nccl.communicators, comm, "the communicator");
  if (!found)
    return ncclInvalidArgument;
  if (found->status != 0)
    sim.refuse(0, "the communicator has an error, and destroying it may hang: use ncclCommAbort");
  else if (found->state != State::Finalized && !(found->blocking && found->state == State::Ready))
    sim.refuse(
        0, "the communicator is not finalized, and destroying it may hang: call ncclCommFinalize, and poll "
           "ncclCommGetAsyncError until it gives ncclSuccess");
  else if (std::vector<std::shared_ptr<Op>> pending = pendingOf(sim, *found); !pending.empty())
    sim.refuse(0, "the communicator is destroyed before " + pending.front()->text() + " has run");
  for (const auto &window : sim.nccl.windows.allLive())
    if (window->communicator == found)
      sim.refuse(0, "the communicator is destroyed while window " + Twine(window->number) + " is registered");
  checkNoGraphs(sim, *found);
  remove(sim, *found);
  return ncclSuccess;
}

static int ncclCommAbort(Sim &sim, gpu::Comm comm) {
  Communicator *found = sim.need(sim.nccl.communicators, comm, "the communicator");
  if (!found)
    return ncclInvalidArgument;
  World &world = *found->world;
  const bool inUse = found->state == State::Joining || found->state == State::Ready;
  checkNoGraphs(sim, *found);
  // A thread that waits in a call of it goes on.
  found->status = ncclInternalError;
  remove(sim, *found);
  if (inUse)
    breakWorld(world, ncclRemoteError);
  return ncclSuccess;
}

void addCommunicatorEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(ncclGetVersion);
  PHANTOM_SIM_ENTRY(ncclGetUniqueId);
  PHANTOM_SIM_ENTRY(ncclCommInitRankConfig);
  PHANTOM_SIM_ENTRY(ncclCommGetAsyncError);
  PHANTOM_SIM_ENTRY(ncclCommFinalize);
  PHANTOM_SIM_ENTRY(ncclCommDestroy);
  PHANTOM_SIM_ENTRY(ncclCommAbort);
}

} // namespace phantom::rt::sim
