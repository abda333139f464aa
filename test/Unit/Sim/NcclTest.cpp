//===- NcclTest.cpp - NCCL of the double ----------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <climits>
#include <cstring>
#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

enum : int { int64 = 4, f32 = 7, bf16 = 9, sum = 0, maximum = 2, average = 4 };
enum : int { ncclInvalidArgument = 4, ncclInvalidUsage = 5, ncclRemoteError = 6, ncclInProgress = 7 };

gpu::CommConfig configuration(bool blocking) {
  gpu::CommConfig config = {};
  config.size = sizeof(config);
  config.magic = 0xcafebeef;
  config.version = 22809;
  config.blocking = blocking;
  return config;
}

GpuSimOptions withDevices(int devices) {
  GpuSimOptions options;
  options.devices = devices;
  options.hangSeconds = 0.05;
  return options;
}

/// Ranks of one communicator, driven by one thread, each with a device and a stream.
class Ranks {
public:
  explicit Ranks(GpuSimOptions options, bool join = true) : bench(options), size(options.devices) {
    streams.resize(size);
    comms.resize(size);
    EXPECT_EQ(bench->ncclGetUniqueId(&id), 0);
    for (int rank = 0; rank < size; ++rank) {
      use(rank);
      streams[rank] = bench.stream();
      if (join) {
        EXPECT_EQ(init(rank), ncclInProgress);
      }
    }
    if (join)
      settle();
  }

  void use(int rank) { EXPECT_EQ(bench->cudaSetDevice(rank), 0); }
  int init(int rank, bool blocking = false) {
    gpu::CommConfig config = configuration(blocking);
    return bench->ncclCommInitRankConfig(&comms[rank], size, id, rank, &config);
  }
  int status(int rank) {
    int status = -1;
    EXPECT_EQ(bench->ncclCommGetAsyncError(comms[rank], &status), 0);
    return status;
  }
  /// Polls until no communicator is in progress.
  void settle() {
    for (int rank = 0; rank < size; ++rank) {
      int polls = 0;
      while (comms[rank] && status(rank) == ncclInProgress)
        ASSERT_LT(++polls, 100);
    }
  }
  /// Device memory of a rank with these numbers in it.
  float *filled(int rank, const std::vector<float> &values) {
    use(rank);
    return bench.device(streams[rank], values);
  }
  float *device(int rank, size_t count) {
    use(rank);
    return bench.device(count);
  }
  int gather(int rank, const void *send, void *receive, size_t count, int type = f32) {
    use(rank);
    return bench->ncclAllGather(send, receive, count, type, comms[rank], streams[rank]);
  }
  int scatter(int rank, const void *send, void *receive, size_t count, int operation = sum, int type = f32) {
    use(rank);
    return bench->ncclReduceScatter(send, receive, count, type, operation, comms[rank], streams[rank]);
  }
  int reduce(int rank, const void *send, void *receive, size_t count, int operation = sum, int type = f32) {
    use(rank);
    return bench->ncclAllReduce(send, receive, count, type, operation, comms[rank], streams[rank]);
  }
  int permute(int rank, const void *send, void *receive, size_t count, int type = f32) {
    use(rank);
    return bench->ncclAlltoAll(send, receive, count, type, comms[rank], streams[rank]);
  }
  std::vector<float> read(int rank, const float *memory, size_t count) {
    use(rank);
    return bench.read(streams[rank], memory, count);
  }
  float *windowMemory(int rank, size_t bytes) {
    use(rank);
    void *memory = nullptr;
    EXPECT_EQ(bench->ncclMemAlloc(&memory, bytes), 0);
    return static_cast<float *>(memory);
  }
  int registerWindow(int rank, void *memory, size_t bytes, gpu::CommWindow *window, int flags = 1) {
    use(rank);
    return bench->ncclCommWindowRegister(comms[rank], memory, bytes, window, flags);
  }

  Bench bench;
  int size;
  gpu::UniqueId id = {};
  std::vector<gpu::Stream> streams;
  std::vector<gpu::Comm> comms;
};

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

TEST(SimNccl, CommunicatorInProgress) {
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

TEST(SimNccl, JoiningTakesAllRanks) {
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

TEST(SimNccl, BadInit) {
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

TEST(SimNccl, BlockingCommunicators) {
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

TEST(SimNccl, BlockingInitHangs) {
  Ranks ranks(withDevices(2), false);
  EXPECT_NE(ranks.init(0, /*blocking=*/true), 0);
  expectViolation(ranks.bench, "ncclCommInitRankConfig: hangs: it waits for the other ranks to join");
}

TEST(SimNccl, SynchroniseWithoutPeersHangs) {
  Ranks ranks(withDevices(2));
  EXPECT_EQ(ranks.gather(0, ranks.device(0, 1), ranks.device(0, 2), 1), ncclInProgress);
  while (ranks.status(0) == ncclInProgress)
    ;
  EXPECT_NE(ranks.bench->cudaStreamSynchronize(ranks.streams[0]), 0);
  expectViolation(ranks.bench,
                  "cudaStreamSynchronize: hangs: all-gather of 1 float32 (device 0, stream 0, command 1) "
                  "waits for what does not come");
}

TEST(SimNccl, TwoCommunicatorsInDifferentOrders) {
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

TEST(SimNccl, Windows) {
  Ranks ranks(withDevices(2));
  std::vector<float *> memory(2);
  std::vector<gpu::CommWindow> windows(2);
  for (int rank = 0; rank < 2; ++rank) {
    memory[rank] = ranks.windowMemory(rank, 8192);
    EXPECT_EQ(ranks.registerWindow(rank, memory[rank] + 1024, 4096, &windows[rank]), ncclInProgress);
    if (rank == 0) {
      EXPECT_EQ(ranks.status(0), ncclInProgress);
    }
  }
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank)
    EXPECT_EQ(ranks.gather(rank, memory[rank] + 1024 + rank, memory[rank] + 1024, 1), ncclInProgress);
  ranks.settle();
  for (int rank = 0; rank < 2; ++rank) {
    ranks.use(rank);
    ranks.bench.synchronize(ranks.streams[rank]);
    EXPECT_EQ(ranks.bench->ncclCommWindowDeregister(ranks.comms[rank], windows[rank]), 0);
    EXPECT_EQ(ranks.bench->ncclMemFree(memory[rank]), 0);
  }
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, WindowsThatDiffer) {
  Ranks ranks(withDevices(2));
  gpu::CommWindow window = nullptr;
  EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 8192), 4096, &window), ncclInProgress);
  EXPECT_EQ(ranks.registerWindow(1, ranks.windowMemory(1, 8192) + 1024, 4096, &window), ncclInvalidUsage);
  expectViolation(ranks.bench,
                  "the ranks differ in window 0 of communicator 0: rank 0 registers 4096 bytes from byte 0 "
                  "of its memory on, with flags 1, rank 1 4096 bytes from byte 4096");
}

TEST(SimNccl, BadWindows) {
  gpu::CommWindow window = nullptr;
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 8192) + 8, 4096, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "the address of the window is no multiple of 4096");
  }
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 4096), 4097, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "bytes 0 to 4096 of window memory 1 (4096 bytes on device 0) are not in it");
  }
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.registerWindow(0, ranks.device(0, 4096), 4096, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "is not from ncclMemAlloc, which a symmetric window needs");
  }
  {
    Ranks ranks(withDevices(1));
    float *memory = ranks.windowMemory(0, 8192);
    EXPECT_EQ(ranks.registerWindow(0, memory, 8192, &window), ncclInProgress);
    ranks.settle();
    EXPECT_EQ(ranks.registerWindow(0, memory + 1024, 4096, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "the window overlaps with window 0");
  }
  {
    Ranks ranks(withDevices(1));
    float host[2];
    EXPECT_EQ(ranks.registerWindow(0, host, 8, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "the window is no memory of a device");
  }
  {
    Ranks ranks(withDevices(1));
    float *memory = ranks.windowMemory(0, 4096);
    EXPECT_EQ(ranks.registerWindow(0, memory, 4096, &window), ncclInProgress);
    EXPECT_EQ(ranks.bench->ncclMemFree(memory), 0);
    expectViolation(ranks.bench,
                    "window memory 1 (4096 bytes on device 0) is freed while a window in it is registered");
  }
}

TEST(SimNccl, WindowGivenUpWhileInUse) {
  GpuSimOptions options = withDevices(1);
  Ranks ranks(options);
  gpu::CommWindow window = nullptr;
  float *memory = ranks.windowMemory(0, 4096);
  EXPECT_EQ(ranks.registerWindow(0, memory, 4096, &window), ncclInProgress);
  ranks.settle();
  EXPECT_EQ(ranks.reduce(0, memory, memory, 1), ncclInProgress);
  ranks.settle();
  EXPECT_EQ(ranks.bench->ncclCommWindowDeregister(ranks.comms[0], window), 0);
  expectViolation(ranks.bench, "is given up");
}

TEST(SimNccl, BuffersInDifferentPlacesOfWindows) {
  Ranks ranks(withDevices(2));
  std::vector<float *> memory(2);
  gpu::CommWindow window = nullptr;
  for (int rank = 0; rank < 2; ++rank) {
    memory[rank] = ranks.windowMemory(rank, 4096);
    EXPECT_EQ(ranks.registerWindow(rank, memory[rank], 4096, &window), ncclInProgress);
  }
  ranks.settle();
  EXPECT_EQ(ranks.reduce(0, memory[0], memory[0], 4), ncclInProgress);
  EXPECT_EQ(ranks.reduce(1, memory[1] + 4, memory[1] + 4, 4), ncclInvalidUsage);
  expectViolation(ranks.bench,
                  "rank 0 has the all-reduce of 4 float32 at byte 0 of window 0, rank 1 the all-reduce of 4 "
                  "float32 at byte 16 of window 0");
}

TEST(SimNccl, EndOfLife) {
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

TEST(SimNccl, DestroyedTooEarly) {
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

TEST(SimNccl, UsedAfterTheEnd) {
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

TEST(SimNccl, FinalizeHangs) {
  GpuSimOptions options = withDevices(2);
  options.policy = SchedulePolicy::ExchangeFirst;
  Ranks ranks(options, /*join=*/false);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      ranks.use(rank);
      EXPECT_EQ(ranks.init(rank, /*blocking=*/true), 0);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  EXPECT_NE(ranks.bench->ncclCommFinalize(ranks.comms[0]), 0);
  expectViolation(ranks.bench, "ncclCommFinalize: hangs: it waits for its collectives");
}

TEST(SimNccl, AbortEndsAFinalize) {
  GpuSimOptions options = withDevices(2);
  options.hangSeconds = 60;
  Ranks ranks(options, /*join=*/false);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      ranks.use(rank);
      EXPECT_EQ(ranks.init(rank, /*blocking=*/true), 0);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  const int64_t before = ranks.bench.sim->counts().hostWaits;
  std::thread waiter([&] { ranks.bench->ncclCommFinalize(ranks.comms[0]); });
  while (ranks.bench.sim->counts().hostWaits == before)
    std::this_thread::yield();
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  waiter.join();
  EXPECT_EQ(ranks.bench.violations(), "");
}

TEST(SimNccl, DestroyedWhileQueued) {
  Ranks ranks(withDevices(2), /*join=*/false);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank)
    threads.emplace_back([&, rank] {
      ranks.use(rank);
      EXPECT_EQ(ranks.init(rank, /*blocking=*/true), 0);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(ranks.reduce(0, ranks.device(0, 1), ranks.device(0, 1), 1), 0);
  EXPECT_EQ(ranks.bench->ncclCommDestroy(ranks.comms[0]), 0);
  expectViolation(
      ranks.bench,
      "the communicator is destroyed before all-reduce of 1 float32 (device 0, stream 0, command 1) has run");
}

TEST(SimNccl, StreamOfAnotherDevice) {
  Ranks ranks(withDevices(2));
  float *memory = ranks.device(1, 1);
  EXPECT_EQ(ranks.bench->ncclAllReduce(memory, memory, 1, f32, sum, ranks.comms[0], ranks.streams[1]),
            ncclInvalidArgument);
  expectViolation(ranks.bench, "the communicator is of device 0, but the stream of device 1");
}

TEST(SimNccl, OnlySomeRanksUseTheWindow) {
  Ranks ranks(withDevices(2));
  std::vector<float *> memory(2);
  gpu::CommWindow window = nullptr;
  for (int rank = 0; rank < 2; ++rank) {
    memory[rank] = ranks.windowMemory(rank, 4096);
    EXPECT_EQ(ranks.registerWindow(rank, memory[rank], 4096, &window), ncclInProgress);
  }
  ranks.settle();
  EXPECT_EQ(ranks.reduce(0, memory[0], memory[0], 4), ncclInProgress);
  float *other = ranks.device(1, 4);
  EXPECT_EQ(ranks.reduce(1, other, other, 4), ncclInvalidUsage);
  expectViolation(ranks.bench, "rank 1 the all-reduce of 4 float32 outside of windows");
}

TEST(SimNccl, WindowsOfOthers) {
  gpu::CommWindow window = nullptr;
  {
    Ranks ranks(withDevices(2));
    float *memory = ranks.windowMemory(1, 4096);
    EXPECT_EQ(ranks.registerWindow(0, memory, 4096, &window), ncclInvalidArgument);
    expectViolation(ranks.bench, "is not of the communicator's device 0");
  }
  {
    Ranks ranks(withDevices(1));
    EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 4096), 4096, &window, /*flags=*/2),
              ncclInvalidArgument);
    expectViolation(ranks.bench, "the double does not know the flags 2");
  }
  {
    Ranks ranks(withDevices(2));
    for (int rank = 0; rank < 2; ++rank)
      EXPECT_EQ(ranks.registerWindow(rank, ranks.windowMemory(rank, 4096), 4096, &window), ncclInProgress);
    ranks.settle();
    EXPECT_EQ(ranks.bench->ncclCommWindowDeregister(ranks.comms[0], window), ncclInvalidArgument);
    expectViolation(ranks.bench, "the window is of another communicator");
  }
}

TEST(SimNccl, DeadRank) {
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

TEST(SimNccl, DeadBeforeItJoins) {
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

TEST(SimNccl, SlowRank) {
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

TEST(SimNccl, AsynchronousError) {
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

TEST(SimNccl, AbortByAnotherThreadEndsAWait) {
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

TEST(SimNccl, GraphsHoldCollectives) {
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
  }
  for (int turn = 0; turn < 2; ++turn)
    for (int rank = 0; rank < 2; ++rank) {
      ranks.use(rank);
      ASSERT_EQ(ranks.bench->cudaGraphLaunch(graphs[rank], ranks.streams[rank]), 0);
    }
  EXPECT_EQ(ranks.read(0, memory[0], 1), (std::vector<float>{6}));
  EXPECT_EQ(ranks.read(1, memory[1], 1), (std::vector<float>{6}));
  EXPECT_EQ(ranks.bench.sim->counts().collectives, 2);
  EXPECT_EQ(ranks.bench.violations(), "");
  EXPECT_EQ(ranks.bench->ncclCommAbort(ranks.comms[0]), 0);
  ranks.use(0);
  EXPECT_NE(ranks.bench->cudaGraphLaunch(graphs[0], ranks.streams[0]), 0);
  expectViolation(ranks.bench,
                  "the graph has the all-reduce of 1 float32 of a communicator that is destroyed");
}

TEST(SimNccl, AllEntriesAreSet) {
  Bench bench;
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) EXPECT_NE(bench->symbol, nullptr) << #symbol;
#define PHANTOM_GPU_TEXT(library, symbol) EXPECT_NE(bench->symbol, nullptr) << #symbol;
#include "phantom-rt/GpuEntryPoints.def"
}

TEST(SimNccl, Leaks) {
  Ranks ranks(withDevices(1));
  EXPECT_NE(message(ranks.bench.sim->checkLeaks()).find("1 communicator"), std::string::npos);
}

} // namespace
