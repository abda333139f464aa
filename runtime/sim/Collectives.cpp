//===- Collectives.cpp - What the ranks of a communicator do together -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>
#include <limits>

using namespace llvm;

namespace phantom::rt::sim {

using Kind = CollectiveCall::Kind;

static constexpr int64_t never = std::numeric_limits<int64_t>::max();

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

std::string textOf(const CollectiveCall &call) {
  static const char *const kinds[] = {"all-gather", "reduce-scatter", "all-reduce", "all-to-all"};
  static const char *const types[] = {"int8",    "uint8",    "int32",      "uint32",
                                      "int64",   "uint64",   "float16",    "float32",
                                      "float64", "bfloat16", "float8e4m3", "float8e5m2"};
  static const char *const operations[] = {"", " (product)", " (maximum)", " (minimum)", " (average)"};
  const char *operation = call.isReduction() ? operations[call.operation] : "";
  return (Twine(kinds[int(call.kind)]) + " of " + Twine(call.count) + " " + types[call.type] + operation)
      .str();
}

static size_t sendBytes(const CollectiveCall &call) {
  const size_t block = call.count * ncclTypeBytes(call.type);
  const bool isOfAll = call.kind == Kind::ReduceScatter || call.kind == Kind::AllToAll;
  return isOfAll ? block * size_t(call.communicator->world->size()) : block;
}

static size_t receiveBytes(const CollectiveCall &call) {
  const size_t block = call.count * ncclTypeBytes(call.type);
  const bool isOfAll = call.kind == Kind::AllGather || call.kind == Kind::AllToAll;
  return isOfAll ? block * size_t(call.communicator->world->size()) : block;
}

std::vector<Access> accessesOf(const CollectiveCall &call) {
  return {{Region::contiguous(call.send, sendBytes(call)), /*writes=*/false},
          {Region::contiguous(call.receive, receiveBytes(call)), /*writes=*/true}};
}

//===----------------------------------------------------------------------===//
// Joining
//===----------------------------------------------------------------------===//

// The registered window that holds the buffer that all ranks have alike; and where in it.
static std::pair<int64_t, size_t> findWindow(Sim &sim, const CollectiveCall &call) {
  const void *buffer = call.kind == Kind::AllGather ? call.receive : call.send;
  const auto begin = reinterpret_cast<uintptr_t>(buffer);
  for (const auto &window : sim.nccl.windows.allLive())
    if (window->communicator == call.communicator && begin >= window->begin &&
        begin < window->begin + window->bytes)
      return {window->number, begin - window->begin};
  return {-1, 0};
}

static std::string placeText(int64_t window, size_t offset) {
  if (window < 0)
    return " outside of windows";
  return (" at byte " + Twine(offset) + " of window " + Twine(window)).str();
}

// Whether the rank asks for what the first one asked for.
static bool agrees(Sim &sim, const Collective &collective, const CollectiveCall &call) {
  const CollectiveCall &first = collective.call;
  const auto [window, offset] = findWindow(sim, call);
  const bool same = call.kind == first.kind && call.count == first.count && call.type == first.type &&
                    (!call.isReduction() || call.operation == first.operation);
  if (same && window == collective.window && offset == collective.offset)
    return true;
  std::string theirs = textOf(first), ours = textOf(call);
  if (same) {
    theirs += placeText(collective.window, collective.offset);
    ours += placeText(window, offset);
  }
  sim.refuse(0, "the ranks differ in collective " + Twine(collective.number + 1) + " of communicator " +
                    Twine(collective.world->number) + ": rank " + Twine(collective.firstRank) + " has the " +
                    theirs + ", rank " + Twine(call.communicator->rank) + " the " + ours);
  return false;
}

// Ranks that give their devices collectives of two communicators in different orders may wait for each other.
static void checkIssueOrder(Sim &sim, const Collective &collective, int rank) {
  const World &world = *collective.world;
  const auto rankOf = [](const World &other, int device) {
    const auto found = llvm::find_if(
        other.members, [&](const Communicator *member) { return member && member->device == device; });
    return found == other.members.end() ? -1 : int(found - other.members.begin());
  };
  for (int peer = 0; peer < world.size(); ++peer) {
    if (peer == rank || collective.issues[peer] == 0 || !world.members[peer])
      continue;
    for (const auto &[id, other] : sim.nccl.worlds) {
      const int own = rankOf(*other, world.members[rank]->device);
      const int theirs = rankOf(*other, world.members[peer]->device);
      if (other.get() == &world || own < 0 || theirs < 0)
        continue;
      for (const auto &before : llvm::reverse(other->collectives)) {
        if (before->issues[theirs] != 0 && before->issues[theirs] < collective.issues[peer])
          break;
        if (before->issues[own] != 0 && before->issues[theirs] != 0) {
          sim.refuse(0, "the ranks use communicators in different orders: device " +
                            Twine(world.members[rank]->device) + " has the " + textOf(before->call) +
                            " of communicator " + Twine(other->number) + " before the " +
                            textOf(collective.call) + " of communicator " + Twine(world.number) +
                            ", device " + Twine(world.members[peer]->device) + " after it");
          return;
        }
      }
    }
  }
}

static const RankFault *faultOf(const std::vector<RankFault> &faults, int rank, int64_t number) {
  const auto found = llvm::find_if(
      faults, [&](const RankFault &fault) { return fault.rank == rank && fault.collective == number + 1; });
  return found == faults.end() ? nullptr : &*found;
}

bool joinCollective(Sim &sim, const std::shared_ptr<Op> &op) {
  const CollectiveCall &call = *op->command->collective;
  Communicator &communicator = *call.communicator;
  if (!sim.nccl.communicators.find(&communicator)) {
    sim.refuse(0, "the graph has the " + op->command->label + " of a communicator that is destroyed");
    return false;
  }
  World &world = *communicator.world;
  const int64_t number = communicator.issued++;
  if (size_t(number) >= world.collectives.size()) {
    auto made = std::make_unique<Collective>();
    made->world = &world;
    made->number = number;
    made->call = call;
    made->firstRank = communicator.rank;
    std::tie(made->window, made->offset) = findWindow(sim, call);
    made->ops.resize(world.members.size());
    made->issues.resize(world.members.size());
    world.collectives.push_back(std::move(made));
  }
  Collective &collective = *world.collectives[number];
  if (!agrees(sim, collective, call)) {
    breakWorld(world, ncclInvalidUsage);
    return false;
  }
  const int rank = communicator.rank;
  op->collective = &collective;
  op->rank = rank;
  collective.ops[rank] = op;
  collective.issues[rank] = ++sim.nccl.issues[communicator.device];
  checkIssueOrder(sim, collective, rank);
  const GpuFaults &faults = sim.options.faults;
  if (const RankFault *slow = faultOf(faults.slowRanks, rank, number))
    op->late = slow->polls;
  if (faultOf(faults.deadRanks, rank, number) || faultOf(faults.asyncErrors, rank, number))
    op->late = never;
  return true;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

bool isCollectiveReady(Sim &sim, Op &op, bool &progress) {
  if (sim.devices[op.queue->device].status != 0)
    return false;
  if (const RankFault *fault = faultOf(sim.options.faults.asyncErrors, op.rank, op.collective->number))
    op.command->collective->communicator->status = fault->status;
  if (op.late > 0) {
    if (op.late != never) {
      --op.late;
      progress = true;
    }
    return false;
  }
  return llvm::all_of(op.collective->ops, [&](const std::shared_ptr<Op> &part) {
    return part && !part->done && part->late == 0 && part->queue->ops.front() == part &&
           sim.devices[part->queue->device].status == 0;
  });
}

// What each rank receives, before anybody's buffers change.
static std::vector<std::vector<std::byte>> results(Sim &sim, const Collective &collective) {
  std::vector<const std::byte *> sent;
  for (const std::shared_ptr<Op> &op : collective.ops)
    sent.push_back(sim.memory.host(op->command->collective->send));
  const int ranks = int(sent.size());
  const CollectiveCall &call = collective.call;
  const size_t block = call.count * ncclTypeBytes(call.type);
  std::vector<std::vector<std::byte>> received(sent.size());
  for (size_t rank = 0; rank < sent.size(); ++rank) {
    std::vector<std::byte> &result = received[rank];
    const bool isDivided = call.kind == Kind::ReduceScatter || call.kind == Kind::AllToAll;
    const size_t skipped = isDivided ? rank * block : 0;
    if (!call.isReduction()) {
      for (const std::byte *part : sent)
        result.insert(result.end(), part + skipped, part + skipped + block);
      continue;
    }
    const auto part = [&](int peer) { return sent[size_t(peer)] + skipped; };
    result.resize(block);
    reduceBuffers(call.type, call.operation, part, ranks, call.count, result.data());
  }
  return received;
}

static void count(Sim &sim, const Collective &collective) {
  const CollectiveCall &call = collective.call;
  const auto ranks = int64_t(collective.ops.size());
  const auto block = int64_t(call.count * ncclTypeBytes(call.type));
  ++sim.counts.collectives;
  // Of a ring, for all ranks.
  sim.counts.collectiveBytes += (ranks - 1) * block * (call.kind == Kind::AllReduce ? 2 : ranks);
}

void runCollective(Sim &sim, Collective &collective) {
  VectorClock joined;
  double begin = 0;
  for (const std::shared_ptr<Op> &op : collective.ops) {
    const VectorClock before = sim.clockBefore(*op);
    sim.checkOrder(*op, before);
    joined.join(before);
    begin = std::max(begin, sim.beginOf(*op));
  }
  const bool live = llvm::all_of(
      collective.ops, [&](const std::shared_ptr<Op> &op) { return allLive(sim.memory, *op->command); });
  if (live && collective.call.count > 0) {
    std::vector<std::vector<std::byte>> received = results(sim, collective);
    for (const std::shared_ptr<Op> &op : collective.ops)
      std::memcpy(sim.memory.host(op->command->collective->receive), received[size_t(op->rank)].data(),
                  received[size_t(op->rank)].size());
  }
  count(sim, collective);
  // Nobody is done before everybody has come.
  for (const std::shared_ptr<Op> &op : collective.ops)
    sim.finish(*op, joined, begin);
  collective.ops.clear();
}

} // namespace phantom::rt::sim
