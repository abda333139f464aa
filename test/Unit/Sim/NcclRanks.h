//===- NcclRanks.h - Ranks of a communicator, for tests ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_SIM_NCCLRANKS_H
#define PHANTOM_TEST_SIM_NCCLRANKS_H

#include "Bench.h"

#include <thread>

namespace phantom::rt::test {

enum : int { int64 = 4, f32 = 7, bf16 = 9, sum = 0, maximum = 2, average = 4 };
enum : int { ncclInvalidArgument = 4, ncclInvalidUsage = 5, ncclRemoteError = 6, ncclInProgress = 7 };

inline gpu::CommConfig configuration(bool blocking) {
  gpu::CommConfig config = {};
  config.size = sizeof(config);
  config.magic = 0xcafebeef;
  config.version = 22809;
  config.blocking = blocking;
  return config;
}

inline GpuSimOptions withDevices(int devices) {
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
  /// Blocking communicators, on a thread for each rank.
  void joinBlocking() {
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank)
      threads.emplace_back([this, rank] {
        use(rank);
        EXPECT_EQ(init(rank, /*blocking=*/true), 0);
      });
    for (std::thread &thread : threads)
      thread.join();
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
  /// Memory of each rank, all of it a window.
  std::vector<float *> registerWindows(size_t bytes) {
    std::vector<float *> memory;
    gpu::CommWindow window = nullptr;
    for (int rank = 0; rank < size; ++rank) {
      memory.push_back(windowMemory(rank, bytes));
      EXPECT_EQ(registerWindow(rank, memory.back(), bytes, &window), ncclInProgress);
    }
    settle();
    return memory;
  }

  Bench bench;
  int size;
  gpu::UniqueId id = {};
  std::vector<gpu::Stream> streams;
  std::vector<gpu::Comm> comms;
};

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_SIM_NCCLRANKS_H
