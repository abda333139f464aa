//===- ThreadCommunicator.cpp - Collectives of threads in one process -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ThreadCommunicator.h"

#include "FinishExchange.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <chrono>
#include <sched.h>
#include <thread>

using namespace llvm;

namespace phantom::rt {

FaultInjector::~FaultInjector() = default;

//===----------------------------------------------------------------------===//
// Signatures
//===----------------------------------------------------------------------===//

// What a rank is about to do, in one word: exchange index + 1 (0: a barrier),
// kind, and the low bits of the size, so that ranks that run different
// programs notice at once.
static_assert(uint64_t(ExchangeKind::AllToAll) <= 3, "kinds have two bits");
static uint64_t signatureOf(const BoundExchange &bound, int64_t ranks) {
  const Exchange &exchange = *bound.exchange;
  uint64_t bytes = uint64_t(fullElements(exchange, ranks)) * uint64_t(byteWidth(exchange.element));
  return uint64_t(bound.index + 1) << 40 | uint64_t(exchange.kind) << 38 |
         (bytes & ((uint64_t(1) << 38) - 1));
}

static std::string signatureText(uint64_t signature) {
  if (signature >> 40 == 0)
    return "a barrier";
  auto kind = static_cast<ExchangeKind>((signature >> 38) & 3);
  return (kindName(kind) + " number " + Twine((signature >> 40) - 1) + " of " +
          Twine(signature & ((uint64_t(1) << 38) - 1)) + " bytes")
      .str();
}

//===----------------------------------------------------------------------===//
// One rank's end
//===----------------------------------------------------------------------===//

class ThreadCommunicator final : public Communicator {
public:
  ThreadCommunicator(ThreadGroup &group, int64_t rank, int64_t size)
      : Communicator(rank, size), group(group) {}

  Error start(const BoundExchange &bound) override {
    if (group.options.faults)
      group.options.faults->beforeStart(rank(), bound);
    const uint64_t epoch = publish(signatureOf(bound, size()), nanoseconds(Clock::now()));
    if (bound.index >= startedAt.size())
      startedAt.resize(bound.index + 1, 0);
    startedAt[bound.index] = epoch;
    return Error::success();
  }

  Error wait(const BoundExchange &bound) override {
    const Exchange &exchange = *bound.exchange;
    if (bound.index >= startedAt.size() || startedAt[bound.index] == 0)
      return fail("rank " + Twine(rank()) + " waits for the " + describe(exchange) +
                  ", which it has not started");
    const uint64_t epoch = startedAt[bound.index];
    startedAt[bound.index] = 0;

    const auto begin = Clock::now();
    const bool skip = group.options.faults && group.options.faults->skipWait(rank(), bound);
    if (!skip)
      if (Error error = await(epoch, signatureOf(bound, size()), [&] { return describe(exchange); }))
        return error;
    counters.bytes += finishExchange(bound, rank(), size());
    ++counters.exchanges;
    if (!skip)
      counters.skewSeconds += 1e-9 * double(std::max<int64_t>(lastPublished(epoch) - nanoseconds(begin), 0));
    counters.seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    return Error::success();
  }

  Error barrier(StringRef where) override {
    const uint64_t epoch = publish(/*signature=*/0, /*nanoseconds=*/0);
    return await(epoch, 0, [&] { return ("barrier at " + where).str(); });
  }

  void abort(StringRef reason) override { group.abort(reason); }

  void reset() {
    epoch = 0;
    startedAt.clear();
  }

private:
  using Clock = std::chrono::steady_clock;

  static int64_t nanoseconds(Clock::time_point time) {
    return std::chrono::nanoseconds(time.time_since_epoch()).count();
  }

  /// Makes everything this rank wrote so far visible to whoever sees the epoch.
  uint64_t publish(uint64_t signature, int64_t nanoseconds) {
    ThreadGroup::Entry &entry = group.entry(rank(), ++epoch);
    entry.signature.store(signature, std::memory_order_relaxed);
    entry.nanoseconds.store(nanoseconds, std::memory_order_relaxed);
    entry.epoch.store(epoch, std::memory_order_release);
    return epoch;
  }

  /// When the last peer published an epoch that all have published.
  int64_t lastPublished(uint64_t published) const {
    int64_t last = 0;
    for (int64_t peer = 0; peer < size(); ++peer)
      if (peer != rank())
        last = std::max(last, group.entry(peer, published).nanoseconds.load(std::memory_order_relaxed));
    return last;
  }

  /// Waits until all ranks have published `wanted`, and checks what they
  /// published. `name` makes the text for errors.
  template <typename Name> Error await(uint64_t wanted, uint64_t signature, Name name) {
    for (int64_t step = 1; step < size(); ++step) {
      const int64_t peer = (rank() + step) % size();
      const ThreadGroup::Entry &entry = group.entry(peer, wanted);
      if (entry.epoch.load(std::memory_order_acquire) < wanted)
        if (Error error = awaitSlowly(wanted, entry, name))
          return error;
      const uint64_t theirs = entry.signature.load(std::memory_order_relaxed);
      if (theirs != signature)
        return fail("the ranks' exchanges differ: rank " + Twine(rank()) + " is at the " + name() + " (" +
                    signatureText(signature) + "), but rank " + Twine(peer) + " is at " +
                    signatureText(theirs));
    }
    if (group.aborted())
      return makeError(group.reason());
    return Error::success();
  }

  /// Polls with a pause, then gives up the core, then sleeps shortly.
  template <typename Name> Error awaitSlowly(uint64_t wanted, const ThreadGroup::Entry &entry, Name name) {
    if (group.options.spin)
      for (int i = 0; i < 4096; ++i) {
        if (entry.epoch.load(std::memory_order_acquire) >= wanted)
          return Error::success();
        pauseCpu();
      }
    const auto begin = Clock::now();
    LongWait longWait(position);
    for (uint64_t sleeps = 0;;) {
      if (entry.epoch.load(std::memory_order_acquire) >= wanted)
        return Error::success();
      if (group.aborted())
        return makeError(group.reason());
      const double waited = std::chrono::duration<double>(Clock::now() - begin).count();
      if (waited > group.options.timeoutSeconds)
        return fail(timeoutText(wanted, name()));
      if (waited < 1e-3) {
        ::sched_yield();
        continue;
      }
      if (sleeps++ % 256 == 0)
        longWait.show("the " + name() + "; ranks that have not come: " + missingPeers(wanted));
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  std::string missingPeers(uint64_t wanted) const {
    std::string missing;
    for (int64_t peer = 0; peer < size(); ++peer)
      if (group.entry(peer, wanted).epoch.load(std::memory_order_acquire) < wanted)
        missing += (missing.empty() ? "" : ", ") + std::to_string(peer);
    return missing;
  }

  std::string timeoutText(uint64_t wanted, const std::string &name) const {
    return ("rank " + Twine(rank()) + " waited " + Twine(int64_t(group.options.timeoutSeconds * 1000)) +
            " ms at the " + name + "; ranks that did not come: " + missingPeers(wanted))
        .str();
  }

  Error fail(const Twine &reason) {
    std::string text = reason.str();
    group.abort(text);
    return makeError(group.reason());
  }

  ThreadGroup &group;
  uint64_t epoch = 0;
  std::vector<uint64_t> startedAt; ///< by exchange; 0: not started
};

//===----------------------------------------------------------------------===//
// The group
//===----------------------------------------------------------------------===//

ThreadGroup::ThreadGroup(int64_t ranks, ThreadGroupOptions groupOptions) : options(groupOptions) {
  const uint64_t capacity = PowerOf2Ceil(uint64_t(options.maximumOutstanding) + 2);
  mask = capacity - 1;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    entries.push_back(std::make_unique<Entry[]>(capacity));
    ends.push_back(std::make_unique<ThreadCommunicator>(*this, rank, ranks));
  }
}

ThreadGroup::~ThreadGroup() = default;

std::string ThreadGroup::reason() const {
  std::lock_guard<std::mutex> lock(reasonMutex);
  return firstReason;
}

void ThreadGroup::abort(StringRef reason) {
  std::lock_guard<std::mutex> lock(reasonMutex);
  if (abortFlag.load(std::memory_order_relaxed))
    return;
  firstReason = reason.str();
  abortFlag.store(true, std::memory_order_release);
}

void ThreadGroup::reset() {
  std::lock_guard<std::mutex> lock(reasonMutex);
  firstReason.clear();
  abortFlag.store(false, std::memory_order_release);
  for (size_t rank = 0; rank < entries.size(); ++rank) {
    for (uint64_t i = 0; i <= mask; ++i)
      entries[rank][i].epoch.store(0, std::memory_order_relaxed);
    static_cast<ThreadCommunicator &>(*ends[rank]).reset();
  }
}

} // namespace phantom::rt
