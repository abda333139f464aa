//===- ProcessCommunicator.cpp - Collectives of ranks in several processes ===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FinishExchange.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/ProcessGroup.h"

#include <chrono>
#include <cstring>

using namespace llvm;

namespace phantom::rt {

namespace {

/// Each wait makes this process's window what the threads of one process would have there, and then ends the
/// exchange as they do: so the bits are theirs.
class ProcessCommunicator final : public Communicator {
public:
  explicit ProcessCommunicator(ProcessGroup &group) : Communicator(group.rank(), group.size()), group(group) {
    group.position = &position;
  }
  ~ProcessCommunicator() override { group.position = nullptr; }

  Error start(const BoundExchange &) override { return Error::success(); }
  Error wait(const BoundExchange &bound) override;
  Error barrier(StringRef where) override { return group.barrier("the barrier at " + where.str()); }
  void abort(StringRef reason) override { group.abort(reason); }

private:
  Error shareRows(const BoundExchange &bound);

  ProcessGroup &group;
  std::vector<std::byte> slots; ///< of all ranks, one after another
};

} // namespace

/// Slots of several rows lie between each other: they travel one after another.
Error ProcessCommunicator::shareRows(const BoundExchange &bound) {
  const Exchange &exchange = *bound.exchange;
  const int64_t row = exchange.inner * byteWidth(exchange.element), slot = exchange.outer * row;
  slots.resize(size_t(slot * size()));
  auto inWindow = [&](int64_t peer, int64_t index) { return bound.window + (index * size() + peer) * row; };
  for (int64_t i = 0; i < exchange.outer; ++i)
    std::memcpy(slots.data() + rank() * slot + i * row, inWindow(rank(), i), size_t(row));
  if (Error error = group.allGather(slots, "the " + describe(exchange)))
    return error;
  for (int64_t peer = 0; peer < size(); ++peer)
    for (int64_t i = 0; i < exchange.outer && peer != rank(); ++i)
      std::memcpy(inWindow(peer, i), slots.data() + peer * slot + i * row, size_t(row));
  return Error::success();
}

Error ProcessCommunicator::wait(const BoundExchange &bound) {
  const auto begin = std::chrono::steady_clock::now();
  const Exchange &exchange = *bound.exchange;
  const bool gathers = exchange.kind == ExchangeKind::AllGather;
  if (gathers && exchange.outer > 1) {
    if (Error error = shareRows(bound))
      return error;
  } else {
    // A slot of a gather, or a part: the whole tensor of one rank.
    const int64_t part =
        (gathers ? exchange.inner : fullElements(exchange, size())) * byteWidth(exchange.element);
    if (Error error = group.allGather({bound.window, size_t(part * size())}, "the " + describe(exchange)))
      return error;
  }
  counters.bytes += finishExchange(bound, rank(), size());
  ++counters.exchanges;
  counters.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return Error::success();
}

std::unique_ptr<Communicator> createProcessCommunicator(ProcessGroup &group) {
  return std::make_unique<ProcessCommunicator>(group);
}

} // namespace phantom::rt
