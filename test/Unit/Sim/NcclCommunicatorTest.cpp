//===- NcclCommunicatorTest.cpp - Communicators of the double of NCCL -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclRanks.h"

#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;

TEST(SimNcclCommunicator, CommunicatorInProgress) {
  {
    Ranks ranks(withDevices(1), /*join=*/false);
    EXPECT_EQ(ranks.init(0), ncclInProgress);
    EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), ncclInvalidUsage);
    expectViolation(ranks.bench,
                    "the communicator is used while it is being made: poll ncclCommGetAsyncError");
  }
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), ncclInProgress);
    void *other = ranks.device(0, 1);
    gpu::Stream stream = ranks.bench.stream();
    EXPECT_EQ(ranks.bench->ncclAllReduce(other, other, 1, f32, sum, ranks.comms[0], stream),
              ncclInvalidUsage);
    expectViolation(ranks.bench, "the communicator is used while an earlier call is in progress");
  }
}

TEST(SimNcclCommunicator, JoiningTakesAllRanks) {
  Ranks ranks(withDevices(2), /*join=*/false);
  ranks.use(0);
  EXPECT_EQ(ranks.init(0), ncclInProgress);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(ranks.status(0), ncclInProgress);
  ranks.use(1);
  EXPECT_EQ(ranks.init(1), ncclInProgress);
  ranks.settle();
  EXPECT_EQ(ranks.status(0), 0);
}

TEST(SimNcclCommunicator, BadInit) {
  {
    Ranks ranks(withDevices(2), false);
    ranks.use(0);
    EXPECT_EQ(ranks.init(0), ncclInProgress);
    EXPECT_EQ(ranks.init(1), ncclInvalidUsage);
    expectViolation(ranks.bench, "ranks 0 and 1 are both on device 0: NCCL needs a device for each rank");
  }
  {
    Ranks ranks(withDevices(2), false);
    EXPECT_EQ(ranks.init(0), ncclInProgress);
    EXPECT_EQ(ranks.init(0), ncclInvalidUsage);
    expectViolation(ranks.bench, "rank 0 has joined already");
  }
  {
    Ranks ranks(withDevices(2), false);
    EXPECT_EQ(ranks.init(0), ncclInProgress);
    ranks.size = 3;
    EXPECT_EQ(ranks.init(1), ncclInvalidArgument);
    expectViolation(ranks.bench, "another rank said that there are 2 ranks, not 3");
  }
  {
    Ranks ranks(withDevices(2), false);
    ranks.id.bytes[0] = 9;
    EXPECT_EQ(ranks.init(0), ncclInvalidArgument);
    expectViolation(ranks.bench, "the unique id is not from ncclGetUniqueId");
  }
  {
    Ranks ranks(withDevices(1), false);
    gpu::CommConfig config = {};
    EXPECT_EQ(ranks.bench->ncclCommInitRankConfig(&ranks.comms[0], 1, ranks.id, 0, &config),
              ncclInvalidArgument);
    expectViolation(ranks.bench, "the configuration is not as NCCL_CONFIG_INITIALIZER makes it");
  }
  {
    Ranks ranks(withDevices(1), false);
    gpu::CommConfig config = configuration(false);
    EXPECT_EQ(ranks.bench->ncclCommInitRankConfig(&ranks.comms[0], 1, ranks.id, 1, &config),
              ncclInvalidArgument);
    expectViolation(ranks.bench, "there is no rank 1 of 1");
  }
}

TEST(SimNcclCommunicator, BlockingCommunicators) {
  Ranks ranks(withDevices(3), false);
  std::vector<std::thread> threads;
  std::vector<float> results(3);
  for (int rank = 0; rank < 3; ++rank)
    threads.emplace_back([&, rank] {
      ranks.use(rank);
      EXPECT_EQ(ranks.init(rank, /*blocking=*/true), 0);
      float *memory = ranks.bench.device(ranks.streams[rank], {float(rank + 1)});
      EXPECT_EQ(
          ranks.bench->ncclAllReduce(memory, memory, 1, f32, sum, ranks.comms[rank], ranks.streams[rank]), 0);
      results[rank] = ranks.bench.read(ranks.streams[rank], memory, 1)[0];
      EXPECT_EQ(ranks.bench->ncclCommFinalize(ranks.comms[rank]), 0);
      EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[rank]), 0);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(results, (std::vector<float>{6, 6, 6}));
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNcclCommunicator, BlockingInitHangs) {
  Ranks ranks(withDevices(2), false);
  EXPECT_NE(ranks.init(0, /*blocking=*/true), 0);
  expectViolation(ranks.bench, "ncclCommInitRankConfig: hangs: it waits for the other ranks to join");
}

TEST(SimNcclCommunicator, SynchroniseWithoutPeersHangs) {
  Ranks ranks(withDevices(2));
  EXPECT_EQ(ranks.gather(0, ranks.device(0, 1), ranks.device(0, 2), 1), ncclInProgress);
  while (ranks.status(0) == ncclInProgress)
    ;
  EXPECT_NE(ranks.bench->cudaStreamSynchronize(ranks.streams[0]), 0);
  expectViolation(ranks.bench,
                  "cudaStreamSynchronize: hangs: all-gather of 1 float32 (device 0, stream 0, command 1) "
                  "waits for what does not come");
}

TEST(SimNcclCommunicator, TwoCommunicatorsInDifferentOrders) {
  Ranks ranks(withDevices(2));
  std::vector<gpu::Comm> first = ranks.comms;
  ASSERT_EQ(ranks.bench->ncclGetUniqueId(&ranks.id), 0);
  for (int rank = 0; rank < 2; ++rank) {
    ranks.use(rank);
    ASSERT_EQ(ranks.init(rank), ncclInProgress);
  }
  ranks.settle();
  std::vector<gpu::Comm> second = ranks.comms;
  for (int rank = 0; rank < 2; ++rank)
    for (int turn = 0; turn < 2; ++turn) {
      ranks.comms = (rank + turn) % 2 == 0 ? first : second;
      EXPECT_EQ(ranks.reduce(rank, ranks.device(rank, 1), ranks.device(rank, 1), 1), ncclInProgress);
      while (ranks.status(rank) == ncclInProgress)
        ;
    }
  EXPECT_NE(ranks.bench->cudaStreamQuery(ranks.streams[1]), 0);
  const std::string violations = ranks.bench.violations();
  EXPECT_NE(violations.find(
                "the ranks use communicators in different orders: device 1 has the all-reduce of 1 float32 "
                "of communicator 1 before the all-reduce of 1 float32 of communicator 0, device 0 after "
                "it"),
            std::string::npos)
      << violations;
  EXPECT_NE(violations.find("the streams wait for each other for ever: all-reduce of 1 float32 (device "),
            std::string::npos)
      << violations;
}

TEST(SimNcclCommunicator, EndOfLife) {
  Ranks ranks(withDevices(2));
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.bench->ncclCommFinalize(ranks.comms[rank]), ncclInProgress);
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[rank]), 0);
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[0]), ncclInvalidArgument);
  expectViolation(ranks.bench, "ncclCommDestroy: the communicator does not exist: it may be destroyed");
}

TEST(SimNcclCommunicator, DestroyedTooEarly) {
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[0]), 0);
    expectViolation(ranks.bench,
                    "the communicator is not finalized, and destroying it may hang: call ncclCommFinalize");
  }
  {
    Ranks ranks(withDevices(1));
    gpu::CommWindow window = nullptr;
    EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 4096), 4096, &window), ncclInProgress);
    ranks.settle();
    EXPECT_EQ(ranks.bench->ncclCommFinalize(ranks.comms[0]), ncclInProgress);
    ranks.settle();
    EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[0]), 0);
    expectViolation(ranks.bench, "the communicator is destroyed while window 0 is registered");
  }
}

TEST(SimNcclCommunicator, UsedAfterTheEnd) {
  Ranks ranks(withDevices(1));
  float *memory = ranks.device(0, 1);
  EXPECT_EQ(ranks.bench->ncclCommFinalize(ranks.comms[0]), ncclInProgress);
  EXPECT_EQ(ranks.reduce(0, memory, memory, 1), ncclInvalidUsage);
  ranks.settle();
  EXPECT_EQ(ranks.reduce(0, memory, memory, 1), ncclInvalidUsage);
  const std::vector<std::string> violations = ranks.bench.sim->violations();
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_NE(violations[0].find("the communicator is used while it is being finalized"), std::string::npos);
  EXPECT_NE(violations[1].find("the communicator is used while it is finalized"), std::string::npos);
}

TEST(SimNcclCommunicator, FinalizeHangs) {
  GpuSimOptions options = withDevices(2);
  options.policy = SchedulePolicy::ExchangeFirst;
  Ranks ranks(options, /*join=*/false);
  ranks.joinBlocking();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  EXPECT_NE(ranks.bench->ncclCommFinalize(ranks.comms[0]), 0);
  expectViolation(ranks.bench, "ncclCommFinalize: hangs: it waits for its collectives");
}

TEST(SimNcclCommunicator, AbortEndsAFinalize) {
  GpuSimOptions options = withDevices(2);
  options.hangSeconds = 60;
  Ranks ranks(options, /*join=*/false);
  ranks.joinBlocking();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  const int64_t before = ranks.bench.sim->counts().hostWaits;
  std::thread waiter([&] { ranks.bench->ncclCommFinalize(ranks.comms[0]); });
  while (ranks.bench.sim->counts().hostWaits == before)
    std::this_thread::yield();
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  waiter.join();
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNcclCommunicator, DestroyedWhileQueued) {
  Ranks ranks(withDevices(2), /*join=*/false);
  ranks.joinBlocking();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[0]), 0);
  expectViolation(
      ranks.bench,
      "the communicator is destroyed before all-reduce of 1 float32 (device 0, stream 0, command 1) has run");
}

TEST(SimNcclCommunicator, StreamOfAnotherDevice) {
  Ranks ranks(withDevices(2));
  float *memory = ranks.device(1, 1);
  EXPECT_EQ(ranks.bench->ncclAllReduce(memory, memory, 1, f32, sum, ranks.comms[0], ranks.streams[1]),
            ncclInvalidArgument);
  expectViolation(ranks.bench, "the communicator is of device 0, but the stream of device 1");
}

TEST(SimNcclCommunicator, GraphsHoldCollectives) {
  Ranks ranks(withDevices(2));
  std::vector<float *> memory;
  std::vector<gpu::GraphExec> graphs(2);
  for (int rank = 0; rank < 2; ++rank) {
    memory.push_back(ranks.filled(rank, {float(rank + 1)}));
    gpu::Graph graph = nullptr;
    ASSERT_EQ(ranks.bench->cudaStreamBeginCapture(ranks.streams[rank], 1), 0);
    EXPECT_EQ(ranks.reduce(rank, memory[rank], memory[rank], 1), ncclInProgress);
    while (ranks.status(rank) == ncclInProgress)
      ;
    ASSERT_EQ(ranks.bench->cudaStreamEndCapture(ranks.streams[rank], &graph), 0);
    ASSERT_EQ(ranks.bench->cudaGraphInstantiate(&graphs[rank], graph, 0), 0);
    EXPECT_EQ(ranks.bench->cudaGraphDestroy(graph), 0);
  }
  for (int turn = 0; turn < 2; ++turn)
    for (int rank = 0; rank < 2; ++rank) {
      ranks.use(rank);
      ASSERT_EQ(ranks.bench->cudaGraphLaunch(graphs[rank], ranks.streams[rank]), 0);
    }
  EXPECT_EQ(ranks.read(0, memory[0], 1), (std::vector<float>{6}));
  EXPECT_EQ(ranks.read(1, memory[1], 1), (std::vector<float>{6}));
  EXPECT_EQ(ranks.bench.sim->counts().collectives, 2);
  EXPECT_EQ(ranks.bench->cudaGraphExecDestroy(graphs[1]), 0);
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[1]), 0);
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  expectViolation(ranks.bench, "the communicator ends while a graph holds collectives of it");
  ranks.use(0);
  EXPECT_NE(ranks.bench->cudaGraphLaunch(graphs[0], ranks.streams[0]), 0);
  const std::vector<std::string> violations = ranks.bench.sim->violations();
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_NE(
      violations[1].find("the graph has the all-reduce of 1 float32 of a communicator that is destroyed"),
      std::string::npos)
      << violations[1];
}

TEST(SimNcclCommunicator, AllEntriesAreSet) {
  Bench bench;
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) EXPECT_NE(bench->symbol, nullptr) << #symbol;
#define PHANTOM_GPU_TEXT(library, symbol) EXPECT_NE(bench->symbol, nullptr) << #symbol;
#include "phantom-rt/GpuEntryPoints.def"
}

TEST(SimNcclCommunicator, Leaks) {
  Ranks ranks(withDevices(1));
  EXPECT_NE(message(ranks.bench.sim->checkLeaks()).find("1 communicator"), std::string::npos);
}
