//===- LoopbackCommunicator.cpp - Exchanges of ranks on one GPU -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "GpuRank.h"
#include "Matmul.h"
#include "phantom-rt/Error.h"

#include <map>

using namespace llvm;

namespace phantom::rt::gpu {

/// What each rank shows its peers during a collective.
class LoopbackGroup {
public:
  struct Rank {
    const std::byte *send = nullptr;
    Event ready = nullptr; ///< `send` may be read
    Event done = nullptr;  ///< this rank has read its peers' memory
  };
  std::vector<Rank> ranks;
};

std::shared_ptr<LoopbackGroup> createLoopbackGroup(int64_t ranks) {
  auto group = std::make_shared<LoopbackGroup>();
  group->ranks.resize(size_t(ranks));
  return group;
}

namespace {

/// Each rank copies or sums its peers' memory on its own stream, between two meetings of the host's threads,
/// in which the ranks show each other their events. A sum adds the parts in rank order: part · [1] as a
/// product of depth one, which is exact, with the sum so far as what it is added to. So no kernel of our own
/// is needed.
class LoopbackCommunicator : public GpuCommunicator {
public:
  LoopbackCommunicator(GpuRank &rank, std::shared_ptr<LoopbackGroup> group)
      : rank(rank), api(rank.api()), group(std::move(group)) {}

  Error join() override;
  Expected<std::byte *> allocateWindows(int64_t bytes) override;
  Error prepare(const BoundCollective &collective) override;
  Error enqueue(const BoundCollective &collective, Stream stream) override;
  Error poll() override { return Error::success(); }
  void abort() override {}
  /// A graph holds the commands of one rank, but the events are of all.
  bool canBeCaptured() const override { return false; }

private:
  struct Sum {
    Matmul add;
    Owned<void *> workspace;
  };

  LoopbackGroup::Rank &mine() { return group->ranks[size_t(rank.rank())]; }
  Error copy(void *to, const void *from, int64_t bytes, Stream stream, const Exchange &exchange,
             int kind = cudaMemcpyDeviceToDevice);
  Error copyFromPeers(const BoundCollective &collective, Stream stream);
  Error sum(const BoundCollective &collective, Stream stream);
  Error meet(Event LoopbackGroup::Rank::*event, const Exchange &exchange, Stream stream);

  GpuRank &rank;
  const GpuApi &api;
  std::shared_ptr<LoopbackGroup> group;
  Owned<Event> ready, done;
  Owned<void *> windows;
  Owned<void *> ones;    ///< 1.0 as f64, and as f32 behind it
  Owned<void *> scratch; ///< of the largest sum
  int64_t scratchBytes = 0;
  std::map<std::pair<ElementType, int64_t>, Sum> sumsOfSizes; ///< by element type and count
};

} // namespace

// Ranks see each other's events from the first meeting on.
Error LoopbackCommunicator::join() {
  if (Error error = createEvent(api).moveInto(ready))
    return error;
  if (Error error = createEvent(api).moveInto(done))
    return error;
  mine().ready = ready.get();
  mine().done = done.get();
  return Error::success();
}

Expected<std::byte *> LoopbackCommunicator::allocateWindows(int64_t bytes) {
  if (Error error = allocateDevice(api, bytes, "exchanges").moveInto(windows))
    return error;
  return static_cast<std::byte *>(windows.get());
}

static bool sums(const Exchange &exchange) {
  return exchange.kind == ExchangeKind::ReduceScatter || exchange.kind == ExchangeKind::AllReduce;
}

Error LoopbackCommunicator::prepare(const BoundCollective &collective) {
  if (!sums(*collective.exchange))
    return Error::success();
  if (!ones) {
    struct {
      double asDouble = 1;
      float asFloat = 1;
    } values;
    if (Error error = allocateDevice(api, sizeof(values), "sums of exchanges").moveInto(ones))
      return error;
    if (Error error = copy(ones.get(), &values, sizeof(values), rank.stream(StreamKind::Compute),
                           *collective.exchange, cudaMemcpyHostToDevice))
      return error;
    if (Error error = rank.waitFor(StreamKind::Compute, "a copy to the GPU"))
      return error;
  }
  const int64_t width = byteWidth(collective.element), bytes = collective.count * width;
  if (bytes > scratchBytes) {
    if (Error error = allocateDevice(api, bytes, "sums of exchanges").moveInto(scratch))
      return error;
    scratchBytes = bytes;
  }
  auto [found, isNew] = sumsOfSizes.try_emplace({collective.element, collective.count});
  if (!isNew)
    return Error::success();
  MatmulSpec spec;
  spec.rows = collective.count;
  spec.columns = spec.depth = spec.bLeading = 1;
  spec.aLeading = spec.dLeading = collective.count;
  spec.element = spec.factors = collective.element;
  spec.accumulate = true;
  spec.aAlignment = spec.bAlignment = spec.dAlignment = uint32_t(width);
  if (Error error = Matmul::create(api, rank.blas(), spec, "the sum of " + describe(*collective.exchange))
                        .moveInto(found->second.add))
    return error;
  return allocateDevice(api, int64_t(found->second.add.kernel().workspaceBytes), "sums of exchanges")
      .moveInto(found->second.workspace);
}

Error LoopbackCommunicator::copy(void *to, const void *from, int64_t bytes, Stream stream,
                                 const Exchange &exchange, int kind) {
  return checkCuda(api, api.cudaMemcpyAsync(to, from, size_t(bytes), kind, stream),
                   "a copy of " + describe(exchange));
}

/// Records this rank's event; what follows on the stream runs after those of all ranks.
Error LoopbackCommunicator::meet(Event LoopbackGroup::Rank::*event, const Exchange &exchange, Stream stream) {
  const std::string what = describe(exchange);
  if (Error error = checkCuda(api, api.cudaEventRecord(mine().*event, stream), what))
    return error;
  if (Error error = rank.team().communicator(rank.rank()).barrier(what))
    return error;
  for (const LoopbackGroup::Rank &peer : group->ranks)
    if (&peer != &mine())
      if (Error error = checkCuda(api, api.cudaStreamWaitEvent(stream, peer.*event, 0), what))
        return error;
  return Error::success();
}

/// Each peer's slot of a gather, or its block for this rank of an all-to-all.
Error LoopbackCommunicator::copyFromPeers(const BoundCollective &collective, Stream stream) {
  const int64_t bytes = collective.count * byteWidth(collective.element);
  const int64_t skipped = collective.exchange->kind == ExchangeKind::AllToAll ? rank.rank() * bytes : 0;
  for (size_t peer = 0; peer < group->ranks.size(); ++peer) {
    std::byte *slot = collective.receive + int64_t(peer) * bytes;
    const std::byte *from = group->ranks[peer].send + skipped;
    if (slot != from)
      if (Error error = copy(slot, from, bytes, stream, *collective.exchange))
        return error;
  }
  return Error::success();
}

Error LoopbackCommunicator::sum(const BoundCollective &collective, Stream stream) {
  const Sum &sum = sumsOfSizes.at({collective.element, collective.count});
  const int64_t bytes = collective.count * byteWidth(collective.element);
  const bool scatters = collective.exchange->kind == ExchangeKind::ReduceScatter;
  const auto *one = static_cast<const std::byte *>(ones.get());
  if (collective.element == ElementType::F32)
    one += sizeof(double);
  for (size_t peer = 0; peer < group->ranks.size(); ++peer) {
    const std::byte *part = group->ranks[peer].send + (scatters ? rank.rank() * bytes : 0);
    Error error = peer == 0 ? copy(scratch.get(), part, bytes, stream, *collective.exchange)
                            : sum.add.enqueue(part, one, scratch.get(), sum.workspace.get(), stream);
    if (error)
      return error;
  }
  return Error::success();
}

Error LoopbackCommunicator::enqueue(const BoundCollective &collective, Stream stream) {
  const Exchange &exchange = *collective.exchange;
  const bool isSum = sums(exchange);
  mine().send = collective.send;
  if (Error error = meet(&LoopbackGroup::Rank::ready, exchange, stream))
    return error;
  if (Error error = isSum ? sum(collective, stream) : copyFromPeers(collective, stream))
    return error;
  if (Error error = meet(&LoopbackGroup::Rank::done, exchange, stream))
    return error;
  if (!isSum)
    return Error::success();
  return copy(collective.receive, scratch.get(), collective.count * byteWidth(collective.element), stream,
              exchange);
}

std::unique_ptr<GpuCommunicator> createLoopbackCommunicator(GpuRank &rank,
                                                            std::shared_ptr<LoopbackGroup> group) {
  return std::make_unique<LoopbackCommunicator>(rank, std::move(group));
}

} // namespace phantom::rt::gpu
