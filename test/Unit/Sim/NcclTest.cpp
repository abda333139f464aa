//===- NcclTest.cpp - Collectives of the double of NCCL -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclRanks.h"

#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

TEST(SimNccl, AllGather) {
  Ranks ranks(withDevices(3));
  std::vector<float *> results;
  for (int rank = 0; rank < 3; ++rank) {
    results.push_back(ranks.device(rank, 6));
    EXPECT_EQ(ranks.gather(rank, ranks.filled(rank, {float(rank), float(10 * rank)}), results[rank], 2),
              ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 3; ++rank)
    EXPECT_EQ(ranks.read(rank, results[rank], 6), (std::vector<float>{0, 0, 1, 10, 2, 20}));
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_EQ(ranks.bench.sim->counts().collectives, 1);
  EXPECT_EQ(ranks.bench.sim->counts().collectiveBytes, 3 * 2 * 8);
}

TEST(SimNccl, AllToAll) {
  Ranks ranks(withDevices(3));
  std::vector<float *> results;
  for (int rank = 0; rank < 3; ++rank) {
    results.push_back(ranks.device(rank, 6));
    std::vector<float> values(6);
    for (int i = 0; i < 6; ++i)
      values[i] = float(10 * rank + i);
    EXPECT_EQ(ranks.permute(rank, ranks.filled(rank, values), results[rank], 2), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 3; ++rank) {
    const float first = float(2 * rank);
    EXPECT_EQ(ranks.read(rank, results[rank], 6),
              (std::vector<float>{first, first + 1, 10 + first, 11 + first, 20 + first, 21 + first}));
  }
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_EQ(ranks.bench.sim->counts().collectives, 1);
  EXPECT_EQ(ranks.bench.sim->counts().collectiveBytes, 3 * 2 * 8);
}

TEST(SimNccl, AllToAllOfNarrowTypes) {
  Ranks ranks(withDevices(2));
  std::vector<float *> results;
  for (int rank = 0; rank < 2; ++rank) {
    results.push_back(ranks.device(rank, 2));
    // Blocks of 4 bytes: whatever the type is, they are moved as they are.
    EXPECT_EQ(
        ranks.permute(rank, ranks.filled(rank, {float(rank), float(10 + rank)}), results[rank], 2, bf16),
        ncclInProgress);
  }
  ranks.settle();
  EXPECT_EQ(ranks.read(0, results[0], 2), (std::vector<float>{0, 1}));
  EXPECT_EQ(ranks.read(1, results[1], 2), (std::vector<float>{10, 11}));
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, InPlace) {
  Ranks ranks(withDevices(2));
  std::vector<float *> gathered, scattered, reduced;
  for (int rank = 0; rank < 2; ++rank) {
    gathered.push_back(ranks.filled(rank, {float(rank + 1), float(rank + 1)}));
    EXPECT_EQ(ranks.gather(rank, gathered[rank] + rank, gathered[rank], 1), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank) {
    scattered.push_back(ranks.filled(rank, {float(rank + 1), 5}));
    EXPECT_EQ(ranks.scatter(rank, scattered[rank], scattered[rank] + rank, 1), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank) {
    reduced.push_back(ranks.filled(rank, {float(rank + 1)}));
    EXPECT_EQ(ranks.reduce(rank, reduced[rank], reduced[rank], 1), ncclInProgress);
  }
  ranks.settle();
  EXPECT_EQ(ranks.read(1, gathered[1], 2), (std::vector<float>{1, 2}));
  EXPECT_EQ(ranks.read(0, scattered[0], 2), (std::vector<float>{3, 5}));
  EXPECT_EQ(ranks.read(1, scattered[1], 2), (std::vector<float>{2, 10}));
  EXPECT_EQ(ranks.read(0, reduced[0], 1), (std::vector<float>{3}));
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, ReductionsAreInRankOrder) {
  Ranks ranks(withDevices(3));
  const float values[3] = {1e8f, -1e8f, 1};
  std::vector<float *> results;
  for (int rank = 0; rank < 3; ++rank) {
    results.push_back(ranks.device(rank, 1));
    EXPECT_EQ(ranks.reduce(rank, ranks.filled(rank, {values[rank]}), results[rank], 1), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 3; ++rank)
    EXPECT_EQ(ranks.read(rank, results[rank], 1), (std::vector<float>{1}));
}

TEST(SimNccl, TypesAndOperations) {
  Ranks ranks(withDevices(2));
  std::vector<float *> buffers;
  const int64_t numbers[2] = {int64_t(1) << 40, 5};
  const uint16_t halves[2][2] = {{0x3f80, 0x4000}, {0x4000, 0x3b80}}; // 1, 2; 2, 1/256
  for (int rank = 0; rank < 2; ++rank) {
    buffers.push_back(ranks.device(rank, 6));
    gpu::Stream stream = ranks.streams[rank];
    EXPECT_EQ(ranks.bench->cudaMemcpyAsync(buffers[rank], &numbers[rank], 8, toDevice, stream), 0);
    EXPECT_EQ(ranks.bench->cudaMemcpyAsync(buffers[rank] + 2, halves[rank], 4, toDevice, stream), 0);
    EXPECT_EQ(ranks.bench->cudaMemcpyAsync(buffers[rank] + 3, halves[rank], 4, toDevice, stream), 0);
    EXPECT_EQ(ranks.reduce(rank, buffers[rank], buffers[rank], 1, sum, int64), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.reduce(rank, buffers[rank] + 2, buffers[rank] + 2, 2, average, bf16), ncclInProgress);
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.reduce(rank, buffers[rank] + 3, buffers[rank] + 3, 2, maximum, bf16), ncclInProgress);
  ranks.settle();
  const std::vector<float> got = ranks.read(1, buffers[1], 4);
  int64_t number;
  uint16_t averages[2], maxima[2];
  std::memcpy(&number, got.data(), 8);
  std::memcpy(averages, &got[2], 4);
  std::memcpy(maxima, &got[3], 4);
  EXPECT_EQ(number, (int64_t(1) << 40) + 5);
  EXPECT_EQ(averages[0], 0x3fc0); // 1.5
  EXPECT_EQ(averages[1], 0x3f80); // (2 + 1/256) / 2 rounds to 1
  EXPECT_EQ(maxima[0], 0x4000);
  EXPECT_EQ(maxima[1], 0x4000);
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, OrdersStreams) {
  // What follows the collective on a rank is ordered with what precedes it on the others.
  Ranks ranks(withDevices(2));
  std::vector<float *> send, receive;
  for (int rank = 0; rank < 2; ++rank) {
    send.push_back(ranks.filled(rank, {float(rank)}));
    receive.push_back(ranks.device(rank, 2));
    EXPECT_EQ(ranks.gather(rank, send[rank], receive[rank], 1), ncclInProgress);
  }
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank) {
    ranks.use(rank);
    EXPECT_EQ(ranks.bench->cudaMemsetAsync(send[rank], 0, 4, ranks.streams[rank]), 0);
  }
  EXPECT_EQ(ranks.read(0, receive[0], 2), (std::vector<float>{0, 1}));
  EXPECT_EQ(ranks.read(1, receive[1], 2), (std::vector<float>{0, 1}));
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, RacesWithOtherStreams) {
  Ranks ranks(withDevices(2));
  float *send = ranks.filled(0, {1}), *receive = ranks.device(0, 2);
  gpu::Stream other = (ranks.use(0), ranks.bench.stream());
  ranks.bench.synchronize(ranks.streams[0]);
  EXPECT_EQ(ranks.gather(0, send, receive, 1), ncclInProgress);
  EXPECT_EQ(ranks.gather(1, ranks.filled(1, {2}), ranks.device(1, 2), 1), ncclInProgress);
  ranks.settle();
  ranks.use(0);
  EXPECT_EQ(ranks.bench->cudaMemsetAsync(receive, 0, 4, other), 0);
  ranks.bench.synchronize(other);
  ranks.bench.synchronize(ranks.streams[0]);
  expectViolation(ranks.bench, "all-gather of 1 float32 (device 0, stream 0, command 2)");
}

TEST(SimNccl, RanksThatDiffer) {
  const auto messageOf = [](const std::function<void(Ranks &)> &second) {
    Ranks ranks(withDevices(2));
    EXPECT_EQ(ranks.gather(0, ranks.device(0, 8), ranks.device(0, 16), 8), ncclInProgress);
    second(ranks);
    EXPECT_EQ(ranks.bench.sim->violations().size(), 1u) << ranks.bench.violations();
    EXPECT_EQ(ranks.status(0), ncclInvalidUsage);
    return ranks.bench.violations();
  };
  EXPECT_EQ(
      messageOf([](Ranks &ranks) { ranks.gather(1, ranks.device(1, 8), ranks.device(1, 16), 7); }),
      "ncclAllGather: the ranks differ in collective 1 of communicator 0: rank 0 has the all-gather of 8 "
      "float32, rank 1 the all-gather of 7 float32\n");
  EXPECT_EQ(
      messageOf([](Ranks &ranks) { ranks.reduce(1, ranks.device(1, 8), ranks.device(1, 8), 8); }),
      "ncclAllReduce: the ranks differ in collective 1 of communicator 0: rank 0 has the all-gather of 8 "
      "float32, rank 1 the all-reduce of 8 float32\n");
  EXPECT_EQ(
      messageOf([](Ranks &ranks) { ranks.gather(1, ranks.device(1, 16), ranks.device(1, 32), 8, int64); }),
      "ncclAllGather: the ranks differ in collective 1 of communicator 0: rank 0 has the all-gather of 8 "
      "float32, rank 1 the all-gather of 8 int64\n");
  EXPECT_EQ(
      messageOf([](Ranks &ranks) { ranks.permute(1, ranks.device(1, 16), ranks.device(1, 16), 8); }),
      "ncclAlltoAll: the ranks differ in collective 1 of communicator 0: rank 0 has the all-gather of 8 "
      "float32, rank 1 the all-to-all of 8 float32\n");
}

TEST(SimNccl, ReductionsThatDiffer) {
  Ranks ranks(withDevices(2));
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 8), ranks.device(0, 8), 8), ncclInProgress);
  EXPECT_EQ(ranks.reduce(1, ranks.device(1, 8), ranks.device(1, 8), 8, maximum), ncclInvalidUsage);
  expectViolation(ranks.bench,
                  "rank 0 has the all-reduce of 8 float32, rank 1 the all-reduce of 8 float32 (maximum)");
}

TEST(SimNccl, BuffersThatAreTooSmall) {
  {
    Ranks ranks(withDevices(2));
    float *send = ranks.device(0, 8), *receive = ranks.device(0, 15);
    EXPECT_NE(ranks.gather(0, send, receive, 8), ncclInProgress);
    expectViolation(ranks.bench,
                    "all-gather of 8 float32 writes bytes 0 to 63 of allocation 2 (60 bytes on device 0): "
                    "behind its end");
  }
  {
    Ranks ranks(withDevices(2));
    float *send = ranks.device(0, 15), *receive = ranks.device(0, 8);
    EXPECT_NE(ranks.scatter(0, send, receive, 8), ncclInProgress);
    expectViolation(ranks.bench, "reduce-scatter of 8 float32 reads bytes 0 to 63 of allocation 1 (60 bytes");
  }
  {
    Ranks ranks(withDevices(2));
    float *send = ranks.device(0, 8), *receive = ranks.device(0, 16);
    EXPECT_NE(ranks.gather(0, send, receive, 8, int64), ncclInProgress);
    expectViolation(ranks.bench, "all-gather of 8 int64 reads bytes 0 to 63 of allocation 1 (32 bytes");
  }
  {
    Ranks ranks(withDevices(2));
    float *send = ranks.device(0, 15), *receive = ranks.device(0, 16);
    EXPECT_NE(ranks.permute(0, send, receive, 8), ncclInProgress);
    expectViolation(ranks.bench, "all-to-all of 8 float32 reads bytes 0 to 63 of allocation 1 (60 bytes");
  }
  {
    Ranks ranks(withDevices(2));
    float *send = ranks.device(0, 16), *receive = ranks.device(0, 15);
    EXPECT_NE(ranks.permute(0, send, receive, 8), ncclInProgress);
    expectViolation(ranks.bench, "all-to-all of 8 float32 writes bytes 0 to 63 of allocation 2 (60 bytes");
  }
}

TEST(SimNccl, BuffersThatOverlap) {
  {
    Ranks ranks(withDevices(2));
    float *memory = ranks.device(1, 4);
    EXPECT_EQ(ranks.gather(1, memory, memory, 2), ncclInvalidArgument);
    expectViolation(ranks.bench,
                    "the buffers overlap, and the one to send is not this rank's slot of the other");
  }
  {
    Ranks ranks(withDevices(2));
    float *memory = ranks.device(1, 4);
    EXPECT_EQ(ranks.scatter(1, memory, memory, 2), ncclInvalidArgument);
    expectViolation(ranks.bench, "the buffers overlap, and the result is not this rank's block of the other");
  }
  {
    Ranks ranks(withDevices(2));
    float *memory = ranks.device(1, 4);
    EXPECT_EQ(ranks.reduce(1, memory, memory + 1, 2), ncclInvalidArgument);
    expectViolation(ranks.bench, "the buffers overlap, and are not the same");
  }
  for (int apart : {0, 3}) {
    Ranks ranks(withDevices(2));
    float *memory = ranks.device(1, 7);
    EXPECT_EQ(ranks.permute(1, memory, memory + apart, 2), ncclInvalidArgument);
    expectViolation(ranks.bench, "the buffers overlap, and an all-to-all is never in place");
  }
}

TEST(SimNccl, TypesThatDoNotExist) {
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.gather(0, ranks.device(0, 4), ranks.device(0, 4), 1, 77), ncclInvalidArgument);
    expectViolation(ranks.bench, "there is no element type 77");
  }
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.reduce(0, ranks.device(0, 4), ranks.device(0, 4), 1, 9), ncclInvalidArgument);
    expectViolation(ranks.bench, "the double does not reduce type 7 by operation 9");
  }
  {
    Ranks ranks(withDevices(1));
    auto *odd = reinterpret_cast<char *>(ranks.device(0, 4)) + 2;
    EXPECT_EQ(ranks.reduce(0, odd, ranks.device(0, 4), 1), ncclInvalidArgument);
    expectViolation(ranks.bench, "the address of a buffer is no multiple of the element's 4 bytes");
  }
}

TEST(SimNccl, StreamInProgress) {
  Ranks ranks(withDevices(2));
  float *memory = ranks.device(0, 2);
  EXPECT_EQ(ranks.gather(0, ranks.device(0, 1), memory, 1), ncclInProgress);
  ranks.bench->cudaMemsetAsync(memory, 0, 4, ranks.streams[0]);
  expectViolation(ranks.bench,
                  "cudaMemsetAsync: stream 0 is used while a collective on it is still ncclInProgress");
}
