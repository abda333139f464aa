//===- ProcessGroupTest.cpp - Tests of groups of processes ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Processes.h"
#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/RankTeam.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <map>

using namespace phantom::rt;
using namespace phantom::rt::test;
using llvm::Error;
using Clock = std::chrono::steady_clock;

namespace {

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::byte sampleByte(int64_t rank, size_t i) { return std::byte(uint8_t(rank * 37 + int64_t(i) * 11 + 1)); }

std::vector<std::byte> sampleBytes(int64_t rank, size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i)
    bytes[i] = sampleByte(rank, i);
  return bytes;
}

/// What joining says to each rank, of `count` processes that start at once.
std::vector<std::string> joinErrors(const std::vector<ProcessGroupOptions> &options) {
  std::vector<std::string> messages(options.size());
  onThreads(int64_t(options.size()),
            [&](int64_t i) { messages[size_t(i)] = message(joinProcessGroup(options[size_t(i)])); });
  return messages;
}

void expectAll(const std::vector<std::string> &messages, const std::vector<std::string> &parts) {
  for (const std::string &text : messages)
    for (const std::string &part : parts)
      EXPECT_TRUE(contains(text, part));
}

} // namespace

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

TEST(ProcessGroup, CallsBringWhatTheySay) {
  for (int64_t size : {1, 2, 5})
    for (size_t bytes : {size_t(0), size_t(1), size_t(1000)})
      onGroup(size, [&](ProcessGroup &group) {
        EXPECT_EQ(group.size(), size);
        for (int round = 0; round < 3; ++round) {
          std::vector<std::byte> value = sampleBytes(group.rank() + round, bytes);
          ASSERT_SUCCESS(group.broadcast(value, "a value"));
          EXPECT_EQ(value, sampleBytes(round, bytes));

          std::vector<std::byte> parts(size_t(size) * bytes);
          std::vector<std::byte> mine = sampleBytes(group.rank(), bytes);
          std::copy(mine.begin(), mine.end(), parts.begin() + group.rank() * int64_t(bytes));
          ASSERT_SUCCESS(group.allGather(parts, "the parts"));
          for (int64_t rank = 0; rank < size; ++rank) {
            auto part = parts.begin() + rank * int64_t(bytes);
            EXPECT_EQ(std::vector<std::byte>(part, part + int64_t(bytes)), sampleBytes(rank, bytes));
          }

          std::map<int64_t, std::vector<std::byte>> gathered;
          auto place = [&](int64_t rank) { return gathered.emplace(rank, bytes).first->second.data(); };
          ASSERT_SUCCESS(group.gather(mine, place, "what each has"));
          EXPECT_EQ(gathered.size(), group.isRoot() && bytes > 0 ? size_t(size - 1) : 0);
          for (const auto &[rank, content] : gathered)
            EXPECT_EQ(content, sampleBytes(rank, bytes));
        }
        ASSERT_SUCCESS(group.barrier("the end"));
      });
}

/// More than sockets hold, so that both ends write and read in turns.
TEST(ProcessGroup, LargePartsGoThrough) {
  const size_t bytes = 16 << 20;
  onGroup(3, [&](ProcessGroup &group) {
    std::vector<std::byte> parts(3 * bytes);
    const std::vector<std::byte> mine = sampleBytes(group.rank(), bytes);
    std::memcpy(parts.data() + size_t(group.rank()) * bytes, mine.data(), bytes);
    ASSERT_SUCCESS(group.allGather(parts, "large parts"));
    for (int64_t rank = 0; rank < 3; ++rank)
      EXPECT_EQ(std::memcmp(parts.data() + size_t(rank) * bytes, sampleBytes(rank, bytes).data(), bytes), 0);
    ASSERT_SUCCESS(group.barrier("the end"));
  });
}

TEST(ProcessGroup, ABarrierWaitsForAll) {
  std::atomic<int> here{0};
  RankPosition ofRoot;
  onGroup(3, [&](ProcessGroup &group) {
    if (group.isRoot())
      group.position = &ofRoot;
    if (group.rank() == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const std::string shown = "the meeting; ranks that have not come: 2";
      const auto begin = Clock::now();
      while (ofRoot.wait() != shown && secondsSince(begin) < 20)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_EQ(ofRoot.wait(), shown);
    }
    ++here;
    ASSERT_SUCCESS(group.barrier("the meeting"));
    EXPECT_EQ(here, 3);
    ASSERT_SUCCESS(group.barrier("the end"));
    EXPECT_EQ(ofRoot.wait(), "");
  });
}

TEST(ProcessGroup, DifferentCallsAreAnErrorOfAll) {
  struct Case {
    std::function<Error(ProcessGroup &)> call;
    std::string part;
  };
  const Case cases[] = {
      {[](ProcessGroup &group) { return group.barrier(group.rank() == 1 ? "the left" : "the right"); },
       "rank 1 is at the left, but rank 0 is at the right"},
      {[](ProcessGroup &group) {
         std::vector<std::byte> bytes(8);
         return group.rank() == 1 ? group.broadcast(bytes, "a place") : group.barrier("a place");
       },
       "rank 1 is at a place, but rank 0 is at a place"},
      {[](ProcessGroup &group) {
         std::vector<std::byte> bytes(group.rank() == 1 ? 6 : 12);
         return group.allGather(bytes, "the sum");
       },
       "at the sum, rank 1 sends 2 bytes, and rank 0 has 4"}};
  for (const Case &one : cases)
    onGroup(3, [&](ProcessGroup &group) {
      const std::string text = message(one.call(group));
      EXPECT_TRUE(contains(text, "the processes do different things"));
      EXPECT_TRUE(contains(text, one.part));
      EXPECT_EQ(message(group.barrier("later")), text);
    });
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

TEST(ProcessGroup, TheEndOfAProcessEndsAll) {
  for (int64_t dead : {0, 2})
    onGroup(4, [&](ProcessGroup &group) {
      ASSERT_SUCCESS(group.barrier("the first meeting"));
      if (group.rank() == dead)
        return;
      const auto begin = Clock::now();
      const std::string text = message(group.barrier("the second meeting"));
      EXPECT_TRUE(contains(text, "the process of rank " + std::to_string(dead) + " has ended"));
      EXPECT_TRUE(contains(text, "the second meeting"));
      EXPECT_LT(secondsSince(begin), 10);
      EXPECT_TRUE(group.aborted());
    });
}

/// Rank 0 waits for rank 1, which does not come, when rank 2 ends.
TEST(ProcessGroup, TheEndOfAProcessIsSeenWhileAnotherIsWaitedFor) {
  std::atomic<bool> isOver{false};
  onGroup(3, [&](ProcessGroup &group) {
    if (group.rank() == 1) {
      while (!isOver)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return;
    }
    if (group.rank() == 2)
      return;
    const std::string text = message(group.barrier("the meeting"));
    isOver = true;
    EXPECT_TRUE(contains(text, "the process of rank 2 has ended, while rank 0 was at the meeting"));
  });
}

TEST(ProcessGroup, AnAbortReachesAll) {
  for (int64_t failing : {0, 1})
    onGroup(3, [&](ProcessGroup &group) {
      ASSERT_SUCCESS(group.barrier("the start"));
      if (group.rank() == failing) {
        group.abort("the disk is full");
        EXPECT_EQ(group.reason(), "the disk is full");
        EXPECT_EQ(message(group.barrier("the next")), "the disk is full");
        return;
      }
      EXPECT_EQ(message(group.barrier("the next")),
                "rank " + std::to_string(failing) + " failed: the disk is full");
    });
}

/// Who waits for something else, such as a GPU, sees it too.
TEST(ProcessGroup, AnAbortIsSeenBetweenCalls) {
  for (int64_t failing : {0, 1})
    onGroup(2, [&](ProcessGroup &group) {
      EXPECT_FALSE(group.aborted());
      ASSERT_SUCCESS(group.barrier("the start"));
      if (group.rank() == failing)
        return group.abort("a kernel failed");
      const auto begin = Clock::now();
      while (!group.aborted() && secondsSince(begin) < 20)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_TRUE(contains(group.reason(), "a kernel failed"));
    });
}

/// A process that is one call ahead has not failed.
TEST(ProcessGroup, ACallThatComesEarlyIsNoFailure) {
  onGroup(2, [&](ProcessGroup &group) {
    if (group.isRoot()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      EXPECT_FALSE(group.aborted());
    }
    EXPECT_SUCCESS(group.barrier("the meeting"));
    EXPECT_SUCCESS(group.barrier("the end"));
  });
}

TEST(ProcessGroup, WhoDoesNotComeIsNamed) {
  for (int64_t late : {0, 1}) {
    std::atomic<int> left{2};
    onGroup(
        3,
        [&](ProcessGroup &group) {
          if (group.rank() == late) {
            while (left > 0)
              std::this_thread::sleep_for(std::chrono::milliseconds(1));
            return;
          }
          const auto begin = Clock::now();
          const std::string text = message(group.barrier("the meeting"));
          --left;
          EXPECT_TRUE(contains(text, "s at the meeting"));
          EXPECT_TRUE(contains(text, "ranks that did not come: " + std::to_string(late)));
          EXPECT_LT(secondsSince(begin), 10);
        },
        /*timeoutSeconds=*/1);
  }
}

//===----------------------------------------------------------------------===//
// Joining
//===----------------------------------------------------------------------===//

TEST(ProcessGroup, RankZeroMayComeLater) {
  const uint16_t port = freePort();
  onThreads(3, [&](int64_t rank) {
    if (rank == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::unique_ptr<ProcessGroup> group = value(joinProcessGroup(processOptions(rank, 3, port)));
    EXPECT_EQ(group->localRank(), rank);
    EXPECT_SUCCESS(group->barrier("the end"));
  });
}

TEST(ProcessGroup, OtherFlagsAreAnErrorOfBoth) {
  const std::pair<Agreement, std::string> cases[] = {
      {{{"--seed", "4"}, {"the compiled program", "ab"}}, "rank 1 was started with --seed 4, rank 0 with 3"},
      {{{"--seed", "3"}, {"the compiled program", "cd"}},
       "rank 1 was started with the compiled program cd, rank 0 with ab"},
      {{{"the compiled program", "ab"}}, "rank 0 was started with --seed, and rank 1 without"},
      {{}, "rank 0 was started with --seed, and rank 1 without"},
      {{{"--seed", "3"}, {"the compiled program", "ab"}, {"--quiet", ""}},
       "rank 1 was started with --quiet, and rank 0 without"}};
  for (const auto &[agreement, part] : cases) {
    const uint16_t port = freePort();
    std::vector<ProcessGroupOptions> options = {processOptions(0, 2, port), processOptions(1, 2, port)};
    options[1].agreement = agreement;
    expectAll(joinErrors(options), {part, "start all processes with the same command line"});
  }
}

TEST(ProcessGroup, OtherNumbersOfProcessesAreAnErrorOfBoth) {
  const uint16_t port = freePort();
  expectAll(joinErrors({processOptions(0, 2, port), processOptions(1, 4, port)}),
            {"rank 1 was started as one of 4 processes, rank 0 as one of 2"});
}

TEST(ProcessGroup, ARankThatIsThereTwiceIsAnErrorOfAll) {
  const uint16_t port = freePort();
  expectAll(joinErrors({processOptions(0, 3, port), processOptions(1, 3, port), processOptions(1, 3, port)}),
            {"two processes are rank 1"});
}

TEST(ProcessGroup, WhoDoesNotJoinIsNamed) {
  const uint16_t port = freePort();
  const auto begin = Clock::now();
  const std::vector<std::string> messages =
      joinErrors({processOptions(0, 4, port, 1), processOptions(2, 4, port, 1)});
  expectAll(messages, {"127.0.0.1:" + std::to_string(port), "ranks that did not come: 1, 3"});
  EXPECT_LT(secondsSince(begin), 10);
}

TEST(ProcessGroup, WithoutRankZeroThereIsNothingToConnectTo) {
  const uint16_t port = freePort();
  expectAll({message(joinProcessGroup(processOptions(1, 2, port, 0.2)))},
            {"cannot connect to rank 0 at 127.0.0.1:" + std::to_string(port)});
  ProcessGroupOptions nowhere = processOptions(1, 2, port, 0.2);
  nowhere.place.host = "no-such-machine.invalid";
  expectAll({message(joinProcessGroup(nowhere))}, {"cannot find the machine 'no-such-machine.invalid'"});
}

namespace {

/// A socket at the port, which listens or is connected.
class Stranger {
public:
  Stranger(uint16_t port, bool listens) : descriptor(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (listens) {
      EXPECT_EQ(::bind(descriptor, generic, sizeof(address)), 0);
      EXPECT_EQ(::listen(descriptor, 4), 0);
      return;
    }
    const auto begin = Clock::now();
    while (::connect(descriptor, generic, sizeof(address)) != 0 && secondsSince(begin) < 20)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ~Stranger() { ::close(descriptor); }
  Stranger(const Stranger &) = delete;
  Stranger &operator=(const Stranger &) = delete;

  const int descriptor;
};

} // namespace

TEST(ProcessGroup, AUsedPortIsAnError) {
  const uint16_t port = freePort();
  const Stranger owner(port, /*listens=*/true);
  expectAll({message(joinProcessGroup(processOptions(0, 2, port)))},
            {"rank 0 cannot listen at 127.0.0.1:" + std::to_string(port), "Address already in use"});
}

TEST(ProcessGroup, StrangersDoNotMatter) {
  const uint16_t port = freePort();
  onThreads(2, [&](int64_t rank) {
    if (rank == 1) {
      const Stranger silent(port, false), loud(port, false), gone(port, false);
      const std::string text = "GET / HTTP/1.1\r\nHost: somebody who is in the wrong place\r\n\r\n";
      EXPECT_EQ(::send(loud.descriptor, text.data(), text.size(), 0), ssize_t(text.size()));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::unique_ptr<ProcessGroup> group = value(joinProcessGroup(processOptions(1, 2, port)));
      EXPECT_SUCCESS(group->barrier("the end"));
      return;
    }
    std::unique_ptr<ProcessGroup> group = value(joinProcessGroup(processOptions(0, 2, port)));
    EXPECT_SUCCESS(group->barrier("the end"));
  });
}

TEST(ProcessGroup, AnotherVersionIsAnErrorOfBoth) {
  const uint16_t port = freePort();
  onThreads(2, [&](int64_t rank) {
    if (rank == 0) {
      expectAll({message(joinProcessGroup(processOptions(0, 2, port)))}, {"another version"});
      return;
    }
    // A hello without a text, of a version that there is not.
    const uint32_t hello[10] = {0x4d485050, 0xffff, 0};
    const Stranger newer(port, false);
    EXPECT_EQ(::send(newer.descriptor, hello, sizeof(hello), 0), ssize_t(sizeof(hello)));
    std::string answer(4096, '\0');
    const ssize_t count = ::recv(newer.descriptor, answer.data(), answer.size(), 0);
    ASSERT_GT(count, 0);
    EXPECT_TRUE(contains(answer.substr(0, size_t(count)), "another version"));
  });
}

TEST(ProcessGroup, WhatIsNotRankZeroIsAnError) {
  const uint16_t port = freePort();
  const Stranger owner(port, /*listens=*/true);
  std::thread answer([&] {
    const int guest = ::accept(owner.descriptor, nullptr, nullptr);
    const std::string text = "HTTP/1.1 400 Bad Request: nobody here speaks that language\r\n\r\n";
    EXPECT_EQ(::send(guest, text.data(), text.size(), 0), ssize_t(text.size()));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::close(guest);
  });
  expectAll({message(joinProcessGroup(processOptions(1, 2, port)))}, {"is not rank 0 of a phantom-run"});
  answer.join();
}

//===----------------------------------------------------------------------===//
// Exchanges and teams
//===----------------------------------------------------------------------===//

namespace {

/// What an exchange leaves on each rank, whose team has a window per rank or one for all.
class ExchangeRun {
public:
  ExchangeRun(ExchangeKind kind, int64_t outer, int64_t ranks) : ranks(ranks) {
    exchange.name = "ghosts";
    exchange.kind = kind;
    exchange.outer = outer;
    exchange.inner = 37;
    parts = kind == ExchangeKind::AllGather ? 1 : ranks;
    full = fullElements(exchange, ranks);
    bytes.resize(size_t(ranks));
  }

  AlignedBuffer makeWindow() const { return value(AlignedBuffer::create(parts * full * 4)); }

  Error run(RankTeam &team, int64_t rank, const AlignedBuffer &window) {
    AlignedBuffer destination = value(AlignedBuffer::create(full * 4));
    write(reinterpret_cast<float *>(window.data()), rank);
    const BoundExchange bound = {&exchange, 0, window.data(), destination.data()};
    Communicator &end = team.communicator(rank);
    if (Error error = end.start(bound))
      return error;
    if (Error error = end.wait(bound))
      return error;
    const AlignedBuffer &result = parts == 1 ? window : destination;
    bytes[size_t(rank)].assign(result.data(), result.data() + full * 4);
    EXPECT_EQ(end.counters.bytes, bytesFromPeers(exchange, ranks));
    EXPECT_EQ(end.counters.exchanges, 1);
    return end.barrier("test");
  }

  std::vector<std::vector<std::byte>> bytes; ///< by rank

private:
  /// The rank's slot or part.
  void write(float *window, int64_t rank) const {
    for (int64_t i = 0; i < (parts == 1 ? exchange.outer * exchange.inner : full); ++i) {
      const int64_t o = i / exchange.inner;
      const int64_t at =
          parts == 1 ? (o * ranks + rank) * exchange.inner + i % exchange.inner : rank * full + i;
      window[at] = 0.1F * float(rank + 1) + 0.013F * float(i);
    }
  }

  Exchange exchange;
  int64_t ranks, parts, full;
};

} // namespace

TEST(ProcessGroup, ExchangesLeaveTheBitsOfThreads) {
  using Kind = ExchangeKind;
  for (Kind kind : {Kind::AllGather, Kind::ReduceScatter, Kind::AllReduce, Kind::AllToAll})
    for (int64_t outer : {1, 3})
      for (int64_t ranks : {1, 2, 4}) {
        if (kind == Kind::AllToAll && outer > 1)
          continue;
        ExchangeRun threads(kind, outer, ranks), processes(kind, outer, ranks);
        RankTeam team(ranks, {});
        const AlignedBuffer window = threads.makeWindow();
        EXPECT_SUCCESS(team.run([&](int64_t rank) { return threads.run(team, rank, window); }));
        onGroup(ranks, [&](ProcessGroup &group) {
          RankTeamOptions options;
          options.processes = &group;
          RankTeam own(ranks, options);
          const AlignedBuffer ownWindow = processes.makeWindow();
          EXPECT_SUCCESS(own.run([&](int64_t rank) { return processes.run(own, rank, ownWindow); }));
        });
        EXPECT_EQ(threads.bytes, processes.bytes) << kindName(kind).str() << " " << outer << " " << ranks;
      }
}

TEST(ProcessGroup, ATeamHasTheRankOfItsProcess) {
  onGroup(3, [&](ProcessGroup &group) {
    RankTeamOptions options;
    options.processes = &group;
    RankTeam team(3, options);
    EXPECT_EQ(team.leader(), group.rank());
    EXPECT_EQ(team.isRoot(), group.rank() == 0);
    EXPECT_TRUE(team.isDistributed());
    int64_t calls = 0;
    const std::thread::id caller = std::this_thread::get_id();
    EXPECT_SUCCESS(team.run([&](int64_t rank) -> Error {
      ++calls;
      EXPECT_EQ(rank, group.rank());
      EXPECT_EQ(std::this_thread::get_id(), caller);
      return team.communicator(rank).barrier("test");
    }));
    EXPECT_EQ(calls, 1);
    std::vector<int64_t> squares(3);
    squares[size_t(group.rank())] = group.rank() * group.rank();
    EXPECT_SUCCESS(team.allGather(squares, "the squares"));
    EXPECT_EQ(squares, (std::vector<int64_t>{0, 1, 4}));
  });
}

TEST(ProcessGroup, AnErrorOfOneRankIsThatOfAllTeams) {
  onGroup(3, [&](ProcessGroup &group) {
    RankTeamOptions options;
    options.processes = &group;
    RankTeam team(3, options);
    const std::string text = message(team.run([&](int64_t rank) -> Error {
      return rank == 1 ? makeError("a spoilt row") : team.communicator(rank).barrier("test");
    }));
    EXPECT_EQ(text, group.rank() == 1 ? "a spoilt row" : "rank 1 failed: a spoilt row");
    EXPECT_TRUE(team.aborted());
  });
}

//===----------------------------------------------------------------------===//
// Launchers
//===----------------------------------------------------------------------===//

namespace {

using Variables = std::map<std::string, std::string>;

auto reader(const Variables &variables) {
  return [&variables](llvm::StringRef name) -> std::optional<std::string> {
    auto found = variables.find(name.str());
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

} // namespace

TEST(Launcher, EachTellsThePlace) {
  const Variables cases[] = {
      {{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "8"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}},
      {{"PMI_RANK", "3"}, {"PMI_SIZE", "8"}, {"MPI_LOCALRANKID", "1"}},
      {{"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "1"}},
      {{"RANK", "3"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}},
      // mpirun that srun has started.
      {{"SLURM_PROCID", "0"},
       {"SLURM_NTASKS", "1"},
       {"SLURM_LOCALID", "0"},
       {"PMI_RANK", "3"},
       {"PMI_SIZE", "8"},
       {"MPI_LOCALRANKID", "1"}}};
  for (const Variables &variables : cases) {
    const std::optional<LauncherPlace> place = value(readLauncher(reader(variables)));
    ASSERT_TRUE(place);
    EXPECT_EQ(place->rank, 3);
    EXPECT_EQ(place->size, 8);
    EXPECT_EQ(place->localRank, 1);
  }
  EXPECT_FALSE(value(readLauncher(reader({}))));
  const Variables noLocalRank = {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}};
  EXPECT_FALSE(value(readLauncher(reader(noLocalRank)))->localRank);
}

TEST(Launcher, BadVariablesAreNamed) {
  const Variables word = {{"RANK", "one"}, {"WORLD_SIZE", "2"}},
                  negative = {{"RANK", "-1"}, {"WORLD_SIZE", "2"}}, alone = {{"RANK", "1"}};
  EXPECT_TRUE(contains(message(readLauncher(reader(word))), "RANK=one"));
  EXPECT_TRUE(contains(message(readLauncher(reader(negative))), "RANK=-1"));
  EXPECT_TRUE(contains(message(readLauncher(reader(alone))), "has not set WORLD_SIZE"));
}

TEST(Launcher, PlacesToMeet) {
  const Variables variables = {{"MASTER_ADDR", "fe80::1"}, {"MASTER_PORT", "1234"}};
  const std::tuple<std::string, std::string, uint16_t> good[] = {{"node0:29500", "node0", 29500},
                                                                 {"[::1]:1", "::1", 1},
                                                                 {"10.0.0.1:65535", "10.0.0.1", 65535},
                                                                 {"env", "fe80::1", 1234}};
  for (const auto &[text, host, port] : good) {
    ProcessPlace place;
    ASSERT_SUCCESS(parseRendezvous(text, reader(variables), place));
    EXPECT_EQ(place.host, host);
    EXPECT_EQ(place.port, port);
  }
  ProcessPlace place;
  for (const std::string text :
       {"node0", "node0:", ":29500", "node0:0", "node0:65536", "node0:x", "::1:29500", ""})
    EXPECT_TRUE(contains(message(parseRendezvous(text, reader({}), place)), "give HOST:PORT"));
  EXPECT_TRUE(contains(message(parseRendezvous("env", reader({}), place)), "MASTER_ADDR"));
}
