//===- Communicator.h - Split-phase collectives ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_COMMUNICATOR_H
#define PHANTOM_RT_COMMUNICATOR_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <atomic>
#include <cstddef>
#include <mutex>
#include <string>

namespace phantom::rt {

/// Where a rank is, for any thread to ask. The rank's own thread writes it.
class RankPosition {
public:
  /// The command that runs, one of a function of the program; null between runs, and on GPUs.
  std::atomic<const Command *> command{nullptr};

  /// What a rank waits for in a wait that takes long; empty: nothing.
  void setWait(std::string text) {
    std::lock_guard<std::mutex> lock(mutex);
    waitText = std::move(text);
  }
  std::string wait() const {
    std::lock_guard<std::mutex> lock(mutex);
    return waitText;
  }

private:
  mutable std::mutex mutex;
  std::string waitText;
};

/// Clears the text of a wait at its end.
class LongWait {
public:
  explicit LongWait(RankPosition &position) : position(position) {}
  ~LongWait() {
    if (shown)
      position.setWait("");
  }
  LongWait(const LongWait &) = delete;
  LongWait &operator=(const LongWait &) = delete;

  void show(std::string text) {
    position.setWait(std::move(text));
    shown = true;
  }

private:
  RankPosition &position;
  bool shown = false;
};

/// An exchange with its addresses, as one rank sees it.
struct BoundExchange {
  const Exchange *exchange = nullptr;
  uint32_t index = 0;               ///< in Program::exchanges
  std::byte *window = nullptr;      ///< start of the window; the same memory on all ranks
  std::byte *destination = nullptr; ///< of all but gathers
};

/// What one rank's exchanges did since the counters were last reset.
struct CommCounters {
  int64_t exchanges = 0;
  int64_t bytes = 0;  ///< of peers' slots and parts, counted where they are acquired or read
  double seconds = 0; ///< exposed: inside waits, the sums of reductions included
  /// The part of `seconds` until the last peer has started the exchange: that peer's lateness, not the
  /// exchange's cost.
  double skewSeconds = 0;
};

/// One rank's end of a communicator. All ranks start and wait for the same
/// exchanges in the same order. Every wait has a deadline; an error on one
/// rank aborts all of them.
class Communicator {
public:
  virtual ~Communicator();

  int64_t rank() const { return myRank; }
  int64_t size() const { return ranks; }

  /// Publishes this rank's slot or part. Does not block.
  virtual llvm::Error start(const BoundExchange &exchange) = 0;

  /// Blocks until the peers have started the exchange; then writes its
  /// destination. Gathered data may be read in place afterwards.
  virtual llvm::Error wait(const BoundExchange &exchange) = 0;

  /// Blocks until all ranks are here. `where` names the place in errors.
  virtual llvm::Error barrier(llvm::StringRef where) = 0;

  /// Makes every rank's present and later calls fail with `reason`.
  virtual void abort(llvm::StringRef reason) = 0;

  CommCounters counters;
  RankPosition position;

protected:
  Communicator(int64_t rank, int64_t size) : myRank(rank), ranks(size) {}

private:
  int64_t myRank, ranks;
};

/// Elements of the full tensor of an exchange over `ranks` ranks.
inline int64_t fullElements(const Exchange &exchange, int64_t ranks) {
  return exchange.outer * exchange.inner * (exchange.kind == ExchangeKind::AllReduce ? 1 : ranks);
}

/// Bytes that one rank acquires or reads from its peers: the formula that
/// CommCounters::bytes is tested against.
int64_t bytesFromPeers(const Exchange &exchange, int64_t ranks);

/// Elements that one rank sends by a ring algorithm (docs: cost model).
double ringElements(const Exchange &exchange, int64_t ranks);

llvm::StringRef kindName(ExchangeKind kind);

/// "all-gather 'fc1.ghosts' (layer fc1)": for messages.
std::string describe(const Exchange &exchange);

} // namespace phantom::rt

#endif // PHANTOM_RT_COMMUNICATOR_H
