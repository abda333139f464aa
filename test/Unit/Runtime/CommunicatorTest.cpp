//===- CommunicatorTest.cpp - Tests of the thread communicator ------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/RankTeam.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <pthread.h>
#include <set>

using namespace phantom::rt;
using namespace phantom::rt::test;
using llvm::Error;

namespace {

Exchange exchangeOf(ExchangeKind kind, int64_t outer, int64_t inner, ElementType element = ElementType::F32) {
  Exchange exchange;
  exchange.name = "ghosts";
  exchange.kind = kind;
  exchange.outer = outer;
  exchange.inner = inner;
  exchange.element = element;
  exchange.location = "fc1";
  return exchange;
}

/// One exchange over `ranks` threads with its window and destinations.
template <typename T> struct Rig {
  Exchange exchange;
  int64_t ranks, full;
  AlignedBuffer window;
  std::vector<AlignedBuffer> destinations;

  Rig(const Exchange &exchange, int64_t ranks) : exchange(exchange), ranks(ranks) {
    full = fullElements(exchange, ranks);
    const bool gather = exchange.kind == ExchangeKind::AllGather;
    window = value(AlignedBuffer::create((gather ? 1 : ranks) * full * sizeof(T)));
    for (int64_t rank = 0; rank < ranks; ++rank)
      destinations.push_back(value(AlignedBuffer::create(full * sizeof(T))));
  }
  BoundExchange bind(int64_t rank) { return {&exchange, 0, window.data(), destinations[rank].data()}; }
  T *part(int64_t rank) { return reinterpret_cast<T *>(window.data()) + rank * full; }
  T *destination(int64_t rank) { return reinterpret_cast<T *>(destinations[rank].data()); }
};

/// A number that tells rank, position and round apart.
template <typename T> T sample(int64_t rank, int64_t i, int64_t round) {
  return T(0.1) * T(rank + 1) + T(i) * T(0.013) + T(round);
}

/// Sums in rank order, in the exchange's own precision.
template <typename T> T expectedSum(int64_t ranks, int64_t i, int64_t round) {
  T sum = sample<T>(0, i, round);
  for (int64_t rank = 1; rank < ranks; ++rank)
    sum += sample<T>(rank, i, round);
  return sum;
}

template <typename T>
void checkReduction(ExchangeKind kind, int64_t outer, int64_t inner, ElementType element) {
  for (int64_t p : {1, 2, 4, 8}) {
    Rig<T> rig(exchangeOf(kind, outer, inner, element), p);
    RankTeam team(p, {});
    EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
      for (int64_t round = 0; round < 3; ++round) {
        for (int64_t i = 0; i < rig.full; ++i)
          rig.part(rank)[i] = sample<T>(rank, i, round);
        Communicator &end = team.communicator(rank);
        if (Error error = end.start(rig.bind(rank)))
          return error;
        if (Error error = end.wait(rig.bind(rank)))
          return error;
        const bool scatter = kind == ExchangeKind::ReduceScatter;
        int64_t mistakes = 0;
        for (int64_t o = 0; o < outer; ++o)
          for (int64_t i = 0; i < inner; ++i) {
            const int64_t global = scatter ? (o * p + rank) * inner + i : o * inner + i;
            mistakes += rig.destination(rank)[o * inner + i] != expectedSum<T>(p, global, round);
          }
        EXPECT_EQ(mistakes, 0);
        if (Error error = end.barrier("test"))
          return error;
      }
      return Error::success();
    }));
    for (int64_t rank = 0; rank < p; ++rank) {
      EXPECT_EQ(team.communicator(rank).counters.bytes, 3 * (p - 1) * outer * inner * int64_t(sizeof(T)));
      EXPECT_EQ(team.communicator(rank).counters.bytes, 3 * bytesFromPeers(rig.exchange, p));
      EXPECT_EQ(team.communicator(rank).counters.exchanges, 3);
    }
  }
}

} // namespace

TEST(Communicator, AllGatherSeesEverySlot) {
  for (int64_t p : {1, 2, 4, 8})
    for (int64_t outer : {1, 3}) {
      const int64_t inner = 37;
      Rig<float> rig(exchangeOf(ExchangeKind::AllGather, outer, inner), p);
      RankTeam team(p, {});
      EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
        Communicator &end = team.communicator(rank);
        for (int64_t round = 0; round < 50; ++round) {
          for (int64_t o = 0; o < outer; ++o)
            for (int64_t i = 0; i < inner; ++i)
              rig.part(0)[(o * p + rank) * inner + i] = sample<float>(rank, o * inner + i, round);
          if (Error error = end.start(rig.bind(rank)))
            return error;
          if (Error error = end.wait(rig.bind(rank)))
            return error;
          int64_t mistakes = 0;
          for (int64_t peer = 0; peer < p; ++peer)
            for (int64_t o = 0; o < outer; ++o)
              for (int64_t i = 0; i < inner; ++i)
                mistakes +=
                    rig.part(0)[(o * p + peer) * inner + i] != sample<float>(peer, o * inner + i, round);
          EXPECT_EQ(mistakes, 0);
          // Without it, a fast rank would write its slot while a slow one reads it.
          if (Error error = end.barrier("test"))
            return error;
        }
        return Error::success();
      }));
      for (int64_t rank = 0; rank < p; ++rank)
        EXPECT_EQ(team.communicator(rank).counters.bytes, 50 * (p - 1) * outer * inner * 4);
    }
}

TEST(Communicator, WaitingForALatePeerIsSkew) {
  struct LateRank final : FaultInjector {
    std::atomic<bool> waiting{false};
    void beforeStart(int64_t rank, const BoundExchange &) override {
      if (rank == 0)
        return;
      while (!waiting)
        std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    bool skipWait(int64_t rank, const BoundExchange &) override {
      if (rank == 0)
        waiting = true;
      return false;
    }
  } late;
  RankTeamOptions options;
  options.faults = &late;
  Rig<float> rig(exchangeOf(ExchangeKind::AllGather, 1, 8), 2);
  RankTeam team(2, options);
  EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
    Communicator &end = team.communicator(rank);
    if (Error error = end.start(rig.bind(rank)))
      return error;
    return end.wait(rig.bind(rank));
  }));
  const CommCounters &early = team.communicator(0).counters;
  EXPECT_GE(early.skewSeconds, 0.005);
  EXPECT_LE(early.skewSeconds, early.seconds);
  EXPECT_EQ(team.communicator(1).counters.skewSeconds, 0);
}

TEST(Communicator, ReduceScatterSumsInRankOrder) {
  checkReduction<float>(ExchangeKind::ReduceScatter, 1, 5000, ElementType::F32);
  checkReduction<float>(ExchangeKind::ReduceScatter, 3, 17, ElementType::F32);
  checkReduction<double>(ExchangeKind::ReduceScatter, 2, 33, ElementType::F64);
}

TEST(Communicator, AllReduceSumsInRankOrder) {
  checkReduction<float>(ExchangeKind::AllReduce, 1, 4099, ElementType::F32);
  checkReduction<double>(ExchangeKind::AllReduce, 5, 7, ElementType::F64);
}

template <typename T> static void checkAllToAll(int64_t inner, ElementType element) {
  for (int64_t p : {1, 2, 4, 8}) {
    Rig<T> rig(exchangeOf(ExchangeKind::AllToAll, 1, inner, element), p);
    auto sent = [](int64_t rank, int64_t i, int64_t round) { return T(31 * rank + 7 * i + 3 * round); };
    RankTeam team(p, {});
    EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
      Communicator &end = team.communicator(rank);
      for (int64_t round = 0; round < 3; ++round) {
        for (int64_t i = 0; i < rig.full; ++i)
          rig.part(rank)[i] = sent(rank, i, round);
        if (Error error = end.start(rig.bind(rank)))
          return error;
        if (Error error = end.wait(rig.bind(rank)))
          return error;
        int64_t mistakes = 0;
        for (int64_t peer = 0; peer < p; ++peer)
          for (int64_t i = 0; i < inner; ++i)
            mistakes += rig.destination(rank)[peer * inner + i] != sent(peer, rank * inner + i, round);
        EXPECT_EQ(mistakes, 0);
        if (Error error = end.barrier("test"))
          return error;
      }
      return Error::success();
    }));
    for (int64_t rank = 0; rank < p; ++rank) {
      EXPECT_EQ(team.communicator(rank).counters.bytes, 3 * (p - 1) * inner * int64_t(sizeof(T)));
      EXPECT_EQ(team.communicator(rank).counters.bytes, 3 * bytesFromPeers(rig.exchange, p));
      EXPECT_EQ(team.communicator(rank).counters.exchanges, 3);
    }
  }
}

TEST(Communicator, AllToAllBringsEveryPeersBlock) {
  checkAllToAll<float>(4099, ElementType::F32);
  checkAllToAll<int8_t>(37, ElementType::I8);
  checkAllToAll<uint16_t>(129, ElementType::BF16);
}

TEST(Communicator, RingModel) {
  EXPECT_EQ(ringElements(exchangeOf(ExchangeKind::AllGather, 2, 10), 4), 60);
  EXPECT_EQ(ringElements(exchangeOf(ExchangeKind::ReduceScatter, 2, 10), 4), 60);
  EXPECT_EQ(ringElements(exchangeOf(ExchangeKind::AllReduce, 2, 10), 4), 30);
  EXPECT_EQ(ringElements(exchangeOf(ExchangeKind::AllToAll, 1, 20), 4), 60);
}

TEST(Communicator, DeadlineNamesExchangePlaceAndMissingRanks) {
  RankTeamOptions options;
  options.timeoutSeconds = 0.2;
  RankTeam team(4, options);
  Rig<float> rig(exchangeOf(ExchangeKind::AllGather, 1, 8), 4);
  std::atomic<int> errors{0};
  std::string text = message(team.run([&](int64_t rank) -> Error {
    if (rank == 1 || rank == 3)
      return Error::success(); // never comes
    Communicator &end = team.communicator(rank);
    if (Error error = end.start(rig.bind(rank)))
      return error;
    Error error = end.wait(rig.bind(rank));
    errors += bool(error);
    return error;
  }));
  EXPECT_TRUE(contains(text, "all-gather 'ghosts' (fc1)"));
  EXPECT_TRUE(contains(text, "did not come: 1, 3"));
  EXPECT_TRUE(contains(text, "200 ms"));
  EXPECT_EQ(errors, 2);

  // The team is usable again afterwards.
  EXPECT_SUCCESS(team.run([&](int64_t rank) { return team.communicator(rank).barrier("after"); }));
}

TEST(Communicator, AnErrorOnOneRankStopsTheOthers) {
  RankTeam team(3, {});
  const auto begin = std::chrono::steady_clock::now();
  std::string text = message(team.run([&](int64_t rank) -> Error {
    if (rank == 2)
      return makeError("kernel broke");
    return team.communicator(rank).barrier("test");
  }));
  EXPECT_EQ(text, "kernel broke");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

// A rank that never returns cannot be ended; the process must end instead.
TEST(CommunicatorDeathTest, AStuckRankEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (int64_t stuck : {0, 1})
    EXPECT_EXIT(
        {
          RankTeamOptions options;
          options.timeoutSeconds = 0.1;
          RankTeam team(2, options);
          Error error = team.run([&](int64_t rank) -> Error {
            if (rank == stuck)
              std::this_thread::sleep_for(std::chrono::hours(1));
            return team.communicator(rank).barrier("the start of a step");
          });
          llvm::consumeError(std::move(error));
          std::_Exit(0);
        },
        ::testing::ExitedWithCode(1),
        "barrier at the start of a step; ranks that did not come: " + std::to_string(stuck));
}

TEST(RankTeam, TheCallerIsRankZeroDuringTheCall) {
  cpu_set_t before, after;
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(before), &before), 0);
  RankTeam team(3, {});
  std::vector<std::thread::id> threads(3);
  for (int call = 0; call < 100; ++call) {
    EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
      threads[rank] = std::this_thread::get_id();
      return Error::success();
    }));
    EXPECT_EQ(threads[0], std::this_thread::get_id());
    EXPECT_EQ(std::set<std::thread::id>(threads.begin(), threads.end()).size(), 3u);
  }
  ASSERT_EQ(pthread_getaffinity_np(pthread_self(), sizeof(after), &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(RankTeam, SleepingRanksAreWokenUp) {
  RankTeam team(2, {});
  std::atomic<int64_t> calls{0};
  for (int call = 0; call < 3; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20)); // longer than they poll
    EXPECT_SUCCESS(team.run([&](int64_t) -> Error {
      ++calls;
      return Error::success();
    }));
    EXPECT_EQ(calls, 2 * (call + 1));
  }
}

TEST(Communicator, DifferingExchangesAreAnErrorAtOnce) {
  RankTeam team(2, {});
  Rig<float> gather(exchangeOf(ExchangeKind::AllGather, 1, 8), 2);
  Rig<float> other(exchangeOf(ExchangeKind::AllGather, 1, 9), 2);
  std::string text = message(team.run([&](int64_t rank) -> Error {
    Communicator &end = team.communicator(rank);
    BoundExchange bound = rank == 0 ? gather.bind(0) : other.bind(1);
    if (Error error = end.start(bound))
      return error;
    return end.wait(bound);
  }));
  EXPECT_TRUE(contains(text, "exchanges differ"));
  EXPECT_TRUE(contains(text, "64 bytes"));
  EXPECT_TRUE(contains(text, "72 bytes"));

  text = message(team.run([&](int64_t rank) -> Error {
    Communicator &end = team.communicator(rank);
    if (rank == 0)
      return end.barrier("the end");
    if (Error error = end.start(gather.bind(1)))
      return error;
    return end.wait(gather.bind(1));
  }));
  EXPECT_TRUE(contains(text, "a barrier"));
}

TEST(Communicator, WaitingWithoutStartingIsAnError) {
  RankTeam team(1, {});
  Rig<float> rig(exchangeOf(ExchangeKind::AllGather, 1, 8), 1);
  std::string text =
      message(team.run([&](int64_t rank) { return team.communicator(rank).wait(rig.bind(rank)); }));
  EXPECT_TRUE(contains(text, "has not started"));
}

TEST(Communicator, DelaysChangeNothing) {
  struct Delays final : FaultInjector {
    std::atomic<int> calls{0};
    void beforeStart(int64_t rank, const BoundExchange &) override {
      const int call = ++calls;
      std::this_thread::sleep_for(std::chrono::microseconds((call * 7919 + int(rank) * 104729) % 3000));
    }
  } delays;
  RankTeamOptions options;
  options.faults = &delays;
  RankTeam team(4, options);
  Rig<float> gather(exchangeOf(ExchangeKind::AllGather, 1, 64), 4);
  Rig<float> scatter(exchangeOf(ExchangeKind::ReduceScatter, 1, 64), 4);
  EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
    Communicator &end = team.communicator(rank);
    int64_t mistakes = 0;
    for (int64_t round = 0; round < 30; ++round) {
      BoundExchange first = gather.bind(rank), second = scatter.bind(rank);
      second.index = 1;
      for (int64_t i = 0; i < 64; ++i)
        gather.part(0)[rank * 64 + i] = sample<float>(rank, i, round);
      if (Error error = end.start(first))
        return error;
      for (int64_t i = 0; i < 256; ++i)
        scatter.part(rank)[i] = sample<float>(rank, i, round);
      if (Error error = end.start(second)) // two in flight
        return error;
      if (Error error = end.wait(first))
        return error;
      for (int64_t i = 0; i < 256; ++i)
        mistakes += gather.part(0)[i] != sample<float>(i / 64, i % 64, round);
      if (Error error = end.wait(second))
        return error;
      for (int64_t i = 0; i < 64; ++i)
        mistakes += scatter.destination(rank)[i] != expectedSum<float>(4, rank * 64 + i, round);
      if (Error error = end.barrier("the end"))
        return error;
    }
    EXPECT_EQ(mistakes, 0);
    return Error::success();
  }));
  EXPECT_EQ(delays.calls, 4 * 30 * 2);
}
