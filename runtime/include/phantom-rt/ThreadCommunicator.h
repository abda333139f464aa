//===- ThreadCommunicator.h - Collectives of threads in one process ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_THREADCOMMUNICATOR_H
#define PHANTOM_RT_THREADCOMMUNICATOR_H

#include "phantom-rt/Communicator.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace phantom::rt {

/// Tells the CPU that the calling thread polls.
inline void pauseCpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Hooks for tests: they may delay a rank or spoil what it publishes.
class FaultInjector {
public:
  virtual ~FaultInjector();
  /// Before rank `rank` publishes; it may sleep or write to the rank's slot.
  virtual void beforeStart(int64_t /*rank*/, const BoundExchange & /*exchange*/) {}
  /// True makes the wait return at once, without synchronising: a planted race.
  virtual bool skipWait(int64_t /*rank*/, const BoundExchange & /*exchange*/) { return false; }
};

struct ThreadGroupOptions {
  double timeoutSeconds = 120;
  /// Poll without giving up the core first; wrong where ranks share cores.
  bool spin = true;
  /// Upper bound on the exchanges that one rank may start before another
  /// waits for the first of them.
  int64_t maximumOutstanding = 256;
  FaultInjector *faults = nullptr;
};

/// The state that the ranks of one process share: what each has published.
/// Exchanges happen in the same order everywhere, so the n-th start of a rank
/// publishes epoch n, and waiting for the n-th exchange is waiting until all
/// ranks have published epoch n. A barrier is an exchange that moves nothing.
class ThreadGroup {
public:
  ThreadGroup(int64_t ranks, ThreadGroupOptions options);
  ~ThreadGroup();

  int64_t size() const { return int64_t(ends.size()); }
  Communicator &communicator(int64_t rank) { return *ends[rank]; }

  /// True once any rank has aborted; `reason` is the first one given.
  bool aborted() const { return abortFlag.load(std::memory_order_acquire); }
  std::string reason() const;
  void abort(llvm::StringRef reason);

  /// Makes an aborted group usable again; no rank may be inside a call.
  void reset();

private:
  friend class ThreadCommunicator;

  /// What a rank says about the exchange that it published as epoch n, kept in
  /// entry n % capacity. A rank can be ahead of a waiting peer by no more
  /// than the outstanding exchanges, so that entries live long enough. All of
  /// it is in one cache line: a peer that sees the epoch has the rest too.
  struct alignas(32) Entry {
    std::atomic<uint64_t> epoch{0};
    std::atomic<uint64_t> signature{0};
    std::atomic<int64_t> nanoseconds{0}; ///< of the steady clock, when it was published; not of barriers
  };

  Entry &entry(int64_t rank, uint64_t epoch) { return entries[rank][epoch & mask]; }

  ThreadGroupOptions options;
  uint64_t mask = 0;
  std::vector<std::unique_ptr<Entry[]>> entries; ///< by rank
  std::vector<std::unique_ptr<Communicator>> ends;
  alignas(128) std::atomic<bool> abortFlag{false};
  mutable std::mutex reasonMutex;
  std::string firstReason;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_THREADCOMMUNICATOR_H
