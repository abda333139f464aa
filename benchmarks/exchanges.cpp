//===- exchanges.cpp - Exchanges of threads, and their floor ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: exchanges SECONDS
//
// Two pinned ranks. In a round, each writes its slot (all-gather) or part
// (reduce-scatter), exchanges, and reads all slots or has the sum of its block.
// The floor does the same writes, reads and sums in two halves, between barriers
// that are not timed. Prints "contestant kind bytes seconds" per kind and size:
// the median over the rounds that fit in SECONDS.
//
//===----------------------------------------------------------------------===//

#include "exchange_traffic.h"
#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/RankTeam.h"
#include "llvm/Support/Error.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>

using namespace phantom::rt;
using namespace traffic;

namespace {

llvm::ExitOnError exitOnError("exchanges: error: ");

/// Polls, so that no rank pays for being woken up in the timed part.
class SpinBarrier {
public:
  void arriveAndWait() {
    const uint64_t round = finished.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == ranks) {
      arrived.store(0, std::memory_order_relaxed);
      finished.store(round + 1, std::memory_order_release);
      return;
    }
    while (finished.load(std::memory_order_acquire) == round)
      continue;
  }

private:
  alignas(128) std::atomic<int> arrived{0};
  alignas(128) std::atomic<uint64_t> finished{0};
};

/// One exchange with its memory. Rounds use two windows in turn: when a rank has waited in round n + 1, its
/// peers have read what they need of round n.
class Case {
public:
  Case(ExchangeKind kind, int64_t bytes) : count(bytes / int64_t(sizeof(float))) {
    exchange.name = "measured";
    exchange.kind = kind;
    exchange.outer = 1;
    exchange.inner = count;
    const int64_t parts = kind == ExchangeKind::AllGather ? ranks : ranks * ranks;
    for (AlignedBuffer &window : windows)
      window = exitOnError(AlignedBuffer::create(parts * bytes));
    for (AlignedBuffer &destination : destinations)
      destination = exitOnError(AlignedBuffer::create(bytes));
  }

  BoundExchange bound(int64_t rank, int64_t round) {
    return {&exchange, 0, windows[round % 2].data(), destinations[rank].data()};
  }

  void writeOwn(int64_t rank, int64_t round) {
    const int64_t own = exchange.kind == ExchangeKind::AllGather ? count : ranks * count;
    write(window(round) + rank * own, own, float(round % 64));
  }

  void readAll(int64_t round) {
    if (exchange.kind == ExchangeKind::AllGather)
      read(window(round), ranks * count);
  }

  /// What the wait for a reduction does, without the waiting.
  void sum(int64_t rank, int64_t round) {
    const float *block = window(round) + rank * count;
    if (exchange.kind == ExchangeKind::ReduceScatter)
      add(reinterpret_cast<float *>(destinations[rank].data()), block, block + ranks * count, count);
  }

private:
  float *window(int64_t round) { return reinterpret_cast<float *>(windows[round % 2].data()); }

  int64_t count;
  Exchange exchange;
  std::array<AlignedBuffer, 2> windows;
  std::array<AlignedBuffer, ranks> destinations;
};

/// By rank and round. The halves of the floor end when the slower rank has ended, as in any exchange.
struct Times {
  std::array<std::vector<double>, ranks> ours, writing, reading;
};

llvm::Expected<double> oursOnce(Communicator &end, Case &measured, int64_t round) {
  const BoundExchange bound = measured.bound(end.rank(), round);
  const Clock::time_point begin = Clock::now();
  measured.writeOwn(end.rank(), round);
  if (llvm::Error error = end.start(bound))
    return error;
  if (llvm::Error error = end.wait(bound))
    return error;
  measured.readAll(round);
  return secondsSince(begin);
}

/// Seconds of the two halves.
std::pair<double, double> floorOnce(int64_t rank, Case &measured, SpinBarrier &barrier, int64_t round) {
  const Clock::time_point begin = Clock::now();
  measured.writeOwn(rank, round);
  const double writing = secondsSince(begin);
  barrier.arriveAndWait();
  const Clock::time_point middle = Clock::now();
  measured.readAll(round);
  measured.sum(rank, round);
  return {writing, secondsSince(middle)};
}

/// The contestants take turns of some rounds, each on memory of its own, so that either finds the caches as
/// its own rounds leave them.
Times measure(RankTeam &team, ExchangeKind kind, int64_t bytes, double seconds) {
  constexpr int64_t turn = 16, warmUp = 4;
  Case forOurs(kind, bytes), forFloor(kind, bytes);
  Times times;
  SpinBarrier barrier;
  std::atomic<bool> done = false;
  exitOnError(team.run([&](int64_t rank) -> llvm::Error {
    const Clock::time_point begin = Clock::now();
    while (!done) {
      for (int64_t round = 0; round < turn + warmUp; ++round) {
        barrier.arriveAndWait();
        llvm::Expected<double> time = oursOnce(team.communicator(rank), forOurs, round);
        if (!time)
          return time.takeError();
        if (round >= warmUp)
          times.ours[rank].push_back(*time);
      }
      for (int64_t round = 0; round < turn + warmUp; ++round) {
        barrier.arriveAndWait();
        const auto [writing, reading] = floorOnce(rank, forFloor, barrier, round);
        if (round >= warmUp) {
          times.writing[rank].push_back(writing);
          times.reading[rank].push_back(reading);
        }
      }
      barrier.arriveAndWait();
      if (rank == 0)
        done = secondsSince(begin) > seconds;
      barrier.arriveAndWait();
    }
    return llvm::Error::success();
  }));
  return times;
}

double floorOf(const Times &times) {
  std::vector<double> rounds = slower(times.writing[0], times.writing[1]);
  const std::vector<double> reading = slower(times.reading[0], times.reading[1]);
  std::transform(rounds.begin(), rounds.end(), reading.begin(), rounds.begin(), std::plus<>());
  return median(std::move(rounds));
}

} // namespace

int main(int argc, char **argv) {
  const double seconds = argc == 2 ? std::atof(argv[1]) : 0;
  if (!(seconds > 0)) {
    std::cerr << "usage: exchanges SECONDS\n";
    return 1;
  }
  if (allowedCpus() < ranks) {
    std::cerr << "exchanges: error: this needs " << ranks << " CPUs, one for each rank\n";
    return 1;
  }
  RankTeam team(ranks, {});
  for (ExchangeKind kind : {ExchangeKind::AllGather, ExchangeKind::ReduceScatter})
    for (int64_t bytes = smallest; bytes <= largest; bytes *= 2) {
      const Times times = measure(team, kind, bytes, seconds);
      print("ours", kindName(kind).data(), bytes, median(slower(times.ours[0], times.ours[1])));
      print("floor", kindName(kind).data(), bytes, floorOf(times));
    }
  return 0;
}
