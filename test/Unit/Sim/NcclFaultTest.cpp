//===- NcclFaultTest.cpp - Ranks that fail, on the double of NCCL ---------===//
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

TEST(SimNcclFault, DeadRank) {
  GpuSimOptions options = withDevices(2);
  options.faults.deadRanks = {{/*rank=*/1, /*collective=*/2}};
  Ranks ranks(options);
  float *memory[2] = {ranks.filled(0, {1}), ranks.filled(1, {2})};
  for (int turn = 0; turn < 2; ++turn) {
    for (int rank = 0; rank < 2; ++rank)
      EXPECT_EQ(ranks.reduce(rank, memory[rank], memory[rank], 1), ncclInProgress);
    ranks.settle();
  }
  for (int polls = 0; polls < 50; ++polls)
    EXPECT_EQ(ranks.bench->cudaStreamQuery(ranks.streams[0]), cudaErrorNotReady);
  EXPECT_EQ(ranks.status(0), 0);
  EXPECT_EQ(ranks.bench.sim->counts().collectives, 1);
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNcclFault, DeadBeforeItJoins) {
  GpuSimOptions options = withDevices(2);
  options.faults.deadRanks = {{/*rank=*/1, /*collective=*/0}};
  Ranks ranks(options, false);
  for (int rank = 0; rank < 2; ++rank) {
    ranks.use(rank);
    EXPECT_EQ(ranks.init(rank), ncclInProgress);
  }
  for (int polls = 0; polls < 50; ++polls)
    EXPECT_EQ(ranks.status(0), ncclInProgress);
}

TEST(SimNcclFault, SlowRank) {
  GpuSimOptions options = withDevices(2);
  options.faults.slowRanks = {{/*rank=*/1, /*collective=*/1, /*polls=*/500}};
  Ranks ranks(options);
  float *memory[2] = {ranks.filled(0, {1}), ranks.filled(1, {2})};
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.reduce(rank, memory[rank], memory[rank], 1), ncclInProgress);
  ranks.settle();
  int polls = 0;
  while (ranks.bench->cudaStreamQuery(ranks.streams[0]) == cudaErrorNotReady)
    ++polls;
  EXPECT_GT(polls, 100);
  EXPECT_EQ(ranks.read(0, memory[0], 1), (std::vector<float>{3}));
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNcclFault, AsynchronousError) {
  GpuSimOptions options = withDevices(2);
  options.faults.asyncErrors = {{/*rank=*/1, /*collective=*/1, /*polls=*/0, /*status=*/2}};
  Ranks ranks(options);
  float *memory[2] = {ranks.filled(0, {1}), ranks.filled(1, {2})};
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.reduce(rank, memory[rank], memory[rank], 1), ncclInProgress);
  ranks.settle();
  for (int polls = 0; polls < 50 && ranks.status(1) == 0; ++polls)
    EXPECT_EQ(ranks.bench->cudaStreamQuery(ranks.streams[1]), cudaErrorNotReady);
  EXPECT_EQ(ranks.status(1), 2);
  EXPECT_EQ(ranks.reduce(1, memory[1], memory[1], 1), 2);
  EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[1]), 0);
  expectViolation(ranks.bench,
                  "the communicator has an error, and destroying it may hang: use ncclCommAbort");
}

TEST(SimNcclFault, AbortByAnotherThreadEndsAWait) {
  GpuSimOptions options = withDevices(2);
  options.hangSeconds = 60;
  options.faults.deadRanks = {{/*rank=*/1, /*collective=*/1}};
  Ranks ranks(options);
  float *memory[2] = {ranks.filled(0, {1}), ranks.filled(1, {2})};
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.reduce(rank, memory[rank], memory[rank], 1), ncclInProgress);
  ranks.settle();
  const int64_t before = ranks.bench.sim->counts().hostWaits;
  std::thread waiter([&] { EXPECT_EQ(ranks.bench->cudaStreamSynchronize(ranks.streams[0]), 0); });
  while (ranks.bench.sim->counts().hostWaits == before)
    std::this_thread::yield();
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[1]), 0);
  int status = -1;
  EXPECT_EQ(ranks.bench->ncclCommGetAsyncError(ranks.comms[0], &status), 0);
  EXPECT_EQ(status, ncclRemoteError);
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  waiter.join();
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_NE(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  expectViolation(ranks.bench, "ncclCommAbort: the communicator does not exist: it may be destroyed");
}
