//===- MemoryTest.cpp - Memory of the double ------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <cmath>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

TEST(SimMemory, StartsAsNaN) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  for (float number : bench.read(stream, bench.device(5), 5))
    EXPECT_TRUE(std::isnan(number));
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimMemory, CopiesBothWays) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *first = bench.device(stream, {1, 2, 3}), *second = bench.device(3);
  ASSERT_EQ(bench->cudaMemcpyAsync(second, first, 12, onDevice, stream), 0);
  EXPECT_EQ(bench.read(stream, second, 3), (std::vector<float>{1, 2, 3}));
  ASSERT_EQ(bench->cudaMemsetAsync(second + 1, 0, 4, stream), 0);
  EXPECT_EQ(bench.read(stream, second, 3), (std::vector<float>{1, 0, 3}));
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimMemoryDeathTest, HostMayNotTouchDeviceMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Bench bench;
  float *memory = bench.device(4);
  EXPECT_DEATH(*memory = 1, "");
}

TEST(SimMemory, AccessBehindTheEnd) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(4);
  EXPECT_EQ(bench->cudaMemsetAsync(memory + 2, 0, 12, stream), cudaErrorInvalidValue);
  expectViolation(
      bench, "cudaMemsetAsync: fill of 12 bytes writes bytes 8 to 19 of allocation 1 (16 bytes on device "
             "0): behind its end");
}

TEST(SimMemory, AddressesOfNobody) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float host = 0;
  EXPECT_NE(bench->cudaMemsetAsync(&host, 0, 4, stream), 0);
  expectViolation(bench, "writes 4 bytes at an address that is no memory of a device");
}

TEST(SimMemory, UseAfterFree) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(4);
  ASSERT_EQ(bench->cudaFree(memory), 0);
  EXPECT_NE(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  expectViolation(bench, "allocation 1 (16 bytes on device 0), which is freed");
}

TEST(SimMemory, FreeWhileQueued) {
  GpuSimOptions options;
  options.policy = SchedulePolicy::ExchangeFirst;
  Bench bench(options);
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(4);
  ASSERT_EQ(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  bench->cudaFree(memory);
  expectViolation(bench, "is given up before fill of 4 bytes (device 0, stream 0, command 1) has run");
}

TEST(SimMemory, FreeWithoutWaiting) {
  GpuSimOptions options;
  options.policy = SchedulePolicy::InOrder;
  Bench bench(options);
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(4);
  ASSERT_EQ(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  bench->cudaFree(memory);
  expectViolation(bench, "nothing has waited for fill of 4 bytes (device 0, stream 0, command 1)");
}

TEST(SimMemory, FreeOfOddAddresses) {
  {
    Bench bench;
    float *memory = bench.device(4);
    EXPECT_NE(bench->cudaFree(memory + 1), 0);
    expectViolation(bench, "cudaFree: the address is not the begin of an allocation");
  }
  {
    Bench bench;
    float *memory = bench.device(4);
    EXPECT_EQ(bench->cudaFree(memory), 0);
    EXPECT_NE(bench->cudaFree(memory), 0);
    expectViolation(bench, "cudaFree: allocation 1 (16 bytes on device 0) is freed already");
  }
  {
    Bench bench;
    float *memory = bench.pinned(4);
    EXPECT_NE(bench->cudaFree(memory), 0);
    expectViolation(bench, "cudaFree: pinned memory 1 (16 bytes) was allocated by another function");
  }
}

TEST(SimMemory, RunsOut) {
  GpuSimOptions options;
  options.memoryBytes = 100;
  options.devices = 2;
  Bench bench(options);
  void *memory = nullptr, *more = nullptr;
  ASSERT_EQ(bench->cudaMalloc(&memory, 60), 0);
  EXPECT_EQ(bench->cudaMalloc(&more, 41), cudaErrorMemoryAllocation);
  size_t free = 0, total = 0;
  ASSERT_EQ(bench->cudaMemGetInfo(&free, &total), 0);
  EXPECT_EQ(free, 40u);
  EXPECT_EQ(total, 100u);
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  EXPECT_EQ(bench->cudaMalloc(&more, 100), 0);
  ASSERT_EQ(bench->cudaFree(memory), 0);
  ASSERT_EQ(bench->cudaSetDevice(0), 0);
  EXPECT_EQ(bench->cudaMalloc(&more, 100), 0);
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimMemory, FailsAtAnAllocation) {
  GpuSimOptions options;
  options.faults.failedAllocation = 2;
  Bench bench(options);
  void *memory = nullptr;
  EXPECT_EQ(bench->cudaMalloc(&memory, 8), 0);
  EXPECT_EQ(bench->cudaMalloc(&memory, 8), cudaErrorMemoryAllocation);
  EXPECT_EQ(bench->cudaMalloc(&memory, 8), 0);
}

TEST(SimMemory, WrongDirection) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(1), host = 0;
  EXPECT_NE(bench->cudaMemcpyAsync(memory, &host, 4, toHost, stream), 0);
  expectViolation(
      bench, "direction 2 does not fit the addresses: the source is host memory, the destination device");
}

TEST(SimMemory, OverlappingCopy) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(3);
  EXPECT_NE(bench->cudaMemcpyAsync(memory, memory + 1, 8, onDevice, stream), 0);
  expectViolation(bench, "the source and the destination overlap");
}

TEST(SimMemory, PageableMemoryIsReadBeforeTheCallReturns) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(1), host = 3;
  ASSERT_EQ(bench->cudaMemcpyAsync(memory, &host, 4, toDevice, stream), 0);
  host = 4;
  EXPECT_EQ(bench.read(stream, memory, 1), (std::vector<float>{3}));
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimMemory, HostWritesToPinnedMemoryTooEarly) {
  GpuSimOptions options;
  options.policy = SchedulePolicy::ExchangeFirst;
  Bench bench(options);
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(1), *host = bench.pinned(1);
  *host = 3;
  ASSERT_EQ(bench->cudaMemcpyAsync(memory, host, 4, toDevice, stream), 0);
  *host = 4;
  bench.synchronize(stream);
  expectViolation(bench,
                  "the host wrote to pinned memory before copy of 4 bytes to the device (device 0, stream 0, "
                  "command 1), which copies it, had run");
}

TEST(SimMemory, CopiesThroughPinnedMemoryAreOrdered) {
  Bench bench;
  gpu::Stream first = bench.stream(), second = bench.stream();
  float *from = bench.device(first, {5}), *to = bench.device(1), *host = bench.pinned(1);
  ASSERT_EQ(bench->cudaMemcpyAsync(host, from, 4, toHost, first), 0);
  bench.order(first, second);
  ASSERT_EQ(bench->cudaMemcpyAsync(to, host, 4, toDevice, second), 0);
  EXPECT_EQ(bench.read(second, to, 1), (std::vector<float>{5}));
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimMemory, CopiesThroughPinnedMemoryThatNothingOrders) {
  Bench bench;
  gpu::Stream first = bench.stream(), second = bench.stream();
  float *from = bench.device(first, {5}), *to = bench.device(1), *host = bench.pinned(1);
  ASSERT_EQ(bench->cudaMemcpyAsync(host, from, 4, toHost, first), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(to, host, 4, toDevice, second), 0);
  bench.synchronize(first);
  bench.synchronize(second);
  expectViolation(bench,
                  "bytes 0 to 3 of pinned memory 3 (4 bytes); nothing orders it with copy of 4 bytes to the");
}

TEST(SimMemory, Leaks) {
  Bench bench;
  EXPECT_EQ(message(bench.sim->checkLeaks()), "");
  bench.device(4);
  bench.stream();
  bench.event();
  EXPECT_EQ(message(bench.sim->checkLeaks()),
            "left at the end: allocation 1 (16 bytes on device 0), 1 stream, 1 event");
}

TEST(SimMemory, WrongDevice) {
  GpuSimOptions options;
  options.devices = 2;
  Bench bench(options);
  float *memory = bench.device(4);
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  gpu::Stream stream = bench.stream();
  EXPECT_NE(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  expectViolation(bench, "allocation 1 (16 bytes on device 0) from device 1");
}

} // namespace
