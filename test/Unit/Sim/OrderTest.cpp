//===- OrderTest.cpp - Streams, events and what they order ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

const SchedulePolicy allPolicies[] = {SchedulePolicy::InOrder, SchedulePolicy::ComputeFirst,
                                      SchedulePolicy::ExchangeFirst, SchedulePolicy::Priorities,
                                      SchedulePolicy::Random};

GpuSimOptions with(SchedulePolicy policy, uint64_t seed = 0) {
  GpuSimOptions options;
  options.policy = policy;
  options.scheduleSeed = seed;
  return options;
}

void fill(const Bench &bench, gpu::Stream stream, float *memory, size_t bytes, int value = 0) {
  EXPECT_EQ(bench->cudaMemsetAsync(memory, value, bytes, stream), 0);
}

TEST(SimOrder, StreamsRunInOrder) {
  for (SchedulePolicy policy : allPolicies) {
    Bench bench(with(policy));
    gpu::Stream stream = bench.stream();
    float *memory = bench.device(1);
    for (int value = 1; value < 9; ++value)
      fill(bench, stream, memory, 4, value);
    fill(bench, stream, memory, 4, 0);
    EXPECT_EQ(bench.read(stream, memory, 1), (std::vector<float>{0}));
    EXPECT_EQ(bench.violations(), "");
  }
}

TEST(SimOrder, NothingRunsUnasked) {
  Bench bench(with(SchedulePolicy::ExchangeFirst));
  gpu::Stream stream = bench.stream();
  gpu::Event event = bench.event();
  fill(bench, stream, bench.device(1), 4);
  bench.record(event, stream);
  EXPECT_EQ(bench.sim->counts().hostWaits, 0);
  int asked = 0;
  while (bench->cudaEventQuery(event) == cudaErrorNotReady)
    ++asked;
  EXPECT_EQ(bench->cudaStreamQuery(stream), 0);
  EXPECT_LT(asked, 10);
}

TEST(SimOrder, EventsOrderStreams) {
  for (SchedulePolicy policy : allPolicies)
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Bench bench(with(policy, seed));
      gpu::Stream compute = bench.stream(), exchange = bench.stream(-5);
      float *a = bench.device(compute, {1, 2}), *b = bench.device(2);
      bench.order(compute, exchange);
      EXPECT_EQ(bench->cudaMemcpyAsync(b, a, 8, onDevice, exchange), 0);
      bench.order(exchange, compute);
      fill(bench, compute, a, 8);
      EXPECT_EQ(bench.read(exchange, b, 2), (std::vector<float>{1, 2}));
      bench.synchronize(compute);
      EXPECT_EQ(bench.violations(), "");
    }
}

// Each of two waits is left out in turn: whatever the schedule, it is noticed.
TEST(SimOrder, MissingWaits) {
  for (SchedulePolicy policy : allPolicies)
    for (uint64_t seed = 0; seed < 5; ++seed)
      for (int left : {0, 1}) {
        Bench bench(with(policy, seed));
        gpu::Stream compute = bench.stream(), exchange = bench.stream(-5);
        float *a = bench.device(2), *b = bench.device(2);
        fill(bench, compute, a, 8);
        if (left != 0)
          bench.order(compute, exchange);
        EXPECT_EQ(bench->cudaMemcpyAsync(b, a, 8, onDevice, exchange), 0);
        if (left != 1)
          bench.order(exchange, compute);
        fill(bench, compute, a, 8);
        bench.synchronize(compute);
        bench.synchronize(exchange);
        EXPECT_NE(bench.violations(), "") << "wait " << left << ", seed " << seed;
      }
}

TEST(SimOrder, NamesBothCommands) {
  Bench bench(with(SchedulePolicy::InOrder));
  gpu::Stream first = bench.stream(), second = bench.stream();
  float *memory = bench.device(4);
  fill(bench, first, memory, 16);
  fill(bench, second, memory + 3, 4);
  expectViolation(bench,
                  "fill of 4 bytes (device 0, stream 1, command 1) writes bytes 12 to 15 of allocation 1 (16 "
                  "bytes on device 0); nothing orders it with fill of 16 bytes (device 0, stream 0, command "
                  "1), which writes bytes 0 to 15 of allocation 1 (16 bytes on device 0)");
}

TEST(SimOrder, ReadsNeedNoOrder) {
  Bench bench(with(SchedulePolicy::InOrder));
  gpu::Stream first = bench.stream(), second = bench.stream();
  float *memory = bench.device(first, {1}), *copies = bench.device(2);
  bench.synchronize(first);
  EXPECT_EQ(bench->cudaMemcpyAsync(copies, memory, 4, onDevice, first), 0);
  EXPECT_EQ(bench->cudaMemcpyAsync(copies + 1, memory, 4, onDevice, second), 0);
  EXPECT_EQ(bench.violations(), "");
  // A write after both needs both to be before it.
  bench.order(first, second);
  fill(bench, second, memory, 4);
  EXPECT_EQ(bench.violations(), "");
  fill(bench, first, copies + 1, 4);
  expectViolation(bench, "copy of 4 bytes on the device (device 0, stream 1, command 1)");
}

TEST(SimOrder, SynchronisationOrders) {
  Bench bench;
  gpu::Stream first = bench.stream(), second = bench.stream();
  float *memory = bench.device(4);
  fill(bench, first, memory, 16);
  bench.synchronize(first);
  fill(bench, second, memory, 16);
  while (bench->cudaStreamQuery(second) == cudaErrorNotReady)
    ;
  fill(bench, first, memory, 16);
  bench.synchronize(first);
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimOrder, WaitsAreForTheLastRecordBeforeThem) {
  Bench bench(with(SchedulePolicy::InOrder));
  gpu::Stream first = bench.stream(), second = bench.stream();
  gpu::Event event = bench.event();
  float *a = bench.device(1), *b = bench.device(1);
  fill(bench, first, a, 4);
  bench.record(event, first);
  bench.wait(second, event);
  fill(bench, first, b, 4);
  bench.record(event, first);
  fill(bench, second, a, 4);
  EXPECT_EQ(bench.violations(), "");
  fill(bench, second, b, 4);
  expectViolation(bench, "nothing orders it with fill of 4 bytes (device 0, stream 0, command 3)");
}

TEST(SimOrder, EventsThatWereNeverRecorded) {
  {
    Bench bench;
    bench.wait(bench.stream(), bench.event());
    expectViolation(
        bench, "stream 0 of device 0 waits for an event that was never recorded, which waits for nothing");
  }
  {
    Bench bench;
    EXPECT_EQ(bench->cudaEventQuery(bench.event()), 0);
    expectViolation(bench, "cudaEventQuery: the event was never recorded");
  }
}

TEST(SimOrder, DestroyedHandles) {
  {
    Bench bench;
    gpu::Event event = bench.event();
    EXPECT_EQ(bench->cudaEventDestroy(event), 0);
    EXPECT_NE(bench->cudaEventRecord(event, bench.stream()), 0);
    expectViolation(bench, "cudaEventRecord: the event does not exist: it may be destroyed");
  }
  {
    Bench bench;
    gpu::Stream stream = bench.stream();
    EXPECT_EQ(bench->cudaStreamDestroy(stream), 0);
    EXPECT_NE(bench->cudaStreamSynchronize(stream), 0);
    expectViolation(bench, "cudaStreamSynchronize: the stream does not exist");
  }
  {
    Bench bench;
    EXPECT_NE(bench->cudaStreamSynchronize(nullptr), 0);
    expectViolation(bench, "cudaStreamSynchronize: the stream is null");
  }
}

TEST(SimOrder, DevicesOfStreamsAndEvents) {
  GpuSimOptions options;
  options.devices = 2;
  Bench bench(options);
  gpu::Stream stream = bench.stream();
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  gpu::Event event = bench.event();
  EXPECT_NE(bench->cudaEventRecord(event, stream), 0);
  expectViolation(bench, "the event is of device 1, but the stream of device 0");
  EXPECT_NE(bench->cudaSetDevice(2), 0);
}

TEST(SimOrder, CurrentDevice) {
  GpuSimOptions options;
  options.devices = 2;
  Bench bench(options);
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(1);
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  EXPECT_NE(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  expectViolation(bench, "stream 0 is of device 0, but device 1 is current");
}

TEST(SimOrder, ElapsedTime) {
  Bench bench;
  gpu::Stream stream = bench.stream();
  gpu::Event begin = bench.event(0), end = bench.event(0);
  float *memory = bench.device(1), milliseconds = 0;
  bench.record(begin, stream);
  fill(bench, stream, memory, 4);
  bench.record(end, stream);
  bench.synchronize(stream);
  ASSERT_EQ(bench->cudaEventElapsedTime(&milliseconds, begin, end), 0);
  EXPECT_GT(milliseconds, 0);
  gpu::Event silent = bench.event(2);
  bench.record(silent, stream);
  EXPECT_EQ(bench.violations(), "");
  EXPECT_NE(bench->cudaEventElapsedTime(&milliseconds, begin, silent), 0);
  expectViolation(bench, "the event was created without timing");
}

TEST(SimOrder, ElapsedTimeOfWorkToCome) {
  Bench bench(with(SchedulePolicy::ExchangeFirst));
  gpu::Stream stream = bench.stream();
  gpu::Event begin = bench.event(0);
  float milliseconds = 0;
  bench.record(begin, stream);
  EXPECT_EQ(bench->cudaEventElapsedTime(&milliseconds, begin, begin), cudaErrorNotReady);
}

TEST(SimOrder, WaitFlags) {
  Bench bench;
  EXPECT_NE(bench->cudaStreamWaitEvent(bench.stream(), bench.event(), 1), 0);
  expectViolation(bench, "the double knows no flags of waits but 0");
}

TEST(SimOrder, SchedulesCanBeReplayed) {
  const auto finishOrder = [](uint64_t seed) {
    Bench bench(with(SchedulePolicy::Random, seed));
    std::vector<gpu::Event> events;
    for (int i = 0; i < 8; ++i) {
      gpu::Stream stream = bench.stream();
      events.push_back(bench.event());
      fill(bench, stream, bench.device(1), 4);
      bench.record(events.back(), stream);
    }
    std::string order;
    for (int i = 0; i < 100; ++i)
      order += bench->cudaEventQuery(events[i % 8]) == 0 ? 'x' : '.';
    return order;
  };
  EXPECT_EQ(finishOrder(3), finishOrder(3));
  EXPECT_NE(finishOrder(3), finishOrder(4));
}

TEST(SimOrder, SeveralThreads) {
  GpuSimOptions options;
  options.devices = 4;
  Bench bench(options);
  std::vector<std::thread> threads;
  for (int device = 0; device < options.devices; ++device)
    threads.emplace_back([&bench, device] {
      EXPECT_EQ(bench->cudaSetDevice(device), 0);
      gpu::Stream stream = bench.stream();
      float *memory = bench.device(stream, {float(device)});
      for (int i = 0; i < 100; ++i)
        EXPECT_EQ(bench.read(stream, memory, 1), (std::vector<float>{float(device)}));
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimOrder, CommandsNobodyWaitedFor) {
  Bench bench(with(SchedulePolicy::ExchangeFirst));
  gpu::Stream stream = bench.stream();
  float *memory = bench.device(1);
  fill(bench, stream, memory, 4);
  EXPECT_NE(
      message(bench.sim->checkLeaks()).find("fill of 4 bytes (device 0, stream 0, command 1), which nobody"),
      std::string::npos);
}

} // namespace
