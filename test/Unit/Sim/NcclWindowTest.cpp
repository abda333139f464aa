//===- NcclWindowTest.cpp - Windows of the double of NCCL -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NcclRanks.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

TEST(SimNcclWindow, Windows) {
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

TEST(SimNcclWindow, WindowsThatDiffer) {
  Ranks ranks(withDevices(2));
  gpu::CommWindow window = nullptr;
  EXPECT_EQ(ranks.registerWindow(0, ranks.windowMemory(0, 8192), 4096, &window), ncclInProgress);
  EXPECT_EQ(ranks.registerWindow(1, ranks.windowMemory(1, 8192) + 1024, 4096, &window), ncclInvalidUsage);
  expectViolation(ranks.bench,
                  "the ranks differ in window 0 of communicator 0: rank 0 registers 4096 bytes from byte 0 "
                  "of its memory on, with flags 1, rank 1 4096 bytes from byte 4096");
}

TEST(SimNcclWindow, BadWindows) {
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

TEST(SimNcclWindow, WindowGivenUpWhileInUse) {
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

TEST(SimNcclWindow, BuffersInDifferentPlacesOfWindows) {
  Ranks ranks(withDevices(2));
  const std::vector<float *> memory = ranks.registerWindows(4096);
  EXPECT_EQ(ranks.reduce(0, memory[0], memory[0], 4), ncclInProgress);
  EXPECT_EQ(ranks.reduce(1, memory[1] + 4, memory[1] + 4, 4), ncclInvalidUsage);
  expectViolation(ranks.bench,
                  "rank 0 has the all-reduce of 4 float32 at byte 0 of window 0, rank 1 the all-reduce of 4 "
                  "float32 at byte 16 of window 0");
}

TEST(SimNcclWindow, OnlySomeRanksUseTheWindow) {
  Ranks ranks(withDevices(2));
  const std::vector<float *> memory = ranks.registerWindows(4096);
  EXPECT_EQ(ranks.reduce(0, memory[0], memory[0], 4), ncclInProgress);
  float *other = ranks.device(1, 4);
  EXPECT_EQ(ranks.reduce(1, other, other, 4), ncclInvalidUsage);
  expectViolation(ranks.bench, "rank 1 the all-reduce of 4 float32 outside of windows");
}

TEST(SimNcclWindow, WindowsOfOthers) {
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
