//===- CaptureTest.cpp - Recording and launching graphs -------------------===//
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

enum : int { global = 0, threadLocal = 1, relaxed = 2 };

class SimCapture : public ::testing::Test {
protected:
  void fill(gpu::Stream stream, float *memory, int value = 0) {
    EXPECT_EQ(bench->cudaMemsetAsync(memory, value, 4, stream), 0);
  }
  void begin(int mode = threadLocal) { ASSERT_EQ(bench->cudaStreamBeginCapture(compute, mode), 0); }
  int end() { return bench->cudaStreamEndCapture(compute, &graph); }
  gpu::GraphExec instantiate() {
    gpu::GraphExec exec = nullptr;
    EXPECT_EQ(bench->cudaGraphInstantiate(&exec, graph, 0), 0);
    return exec;
  }

  Bench bench;
  gpu::Stream compute = bench.stream(), exchange = bench.stream(-5);
  gpu::Graph graph = nullptr;
};

TEST_F(SimCapture, ReplaysWithTheSamePointers) {
  float *a = bench.device(compute, {1}), *b = bench.device(1), *c = bench.device(1);
  float *from = a;
  begin();
  ASSERT_EQ(bench->cudaMemcpyAsync(b, from, 4, onDevice, compute), 0);
  from = c;
  bench.order(compute, exchange);
  ASSERT_EQ(bench->cudaMemcpyAsync(c, b, 4, onDevice, exchange), 0);
  bench.order(exchange, compute);
  ASSERT_EQ(end(), 0);
  gpu::GraphExec exec = instantiate();
  ASSERT_EQ(bench->cudaGraphDestroy(graph), 0);
  for (float value : {2.0f, 3.0f}) {
    ASSERT_EQ(bench->cudaMemcpyAsync(a, &value, 4, toDevice, compute), 0);
    ASSERT_EQ(bench->cudaGraphLaunch(exec, compute), 0);
    EXPECT_EQ(bench.read(compute, c, 1), (std::vector<float>{value}));
  }
  ASSERT_EQ(bench->cudaGraphExecDestroy(exec), 0);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimCapture, BranchesRaceAsStreamsDo) {
  float *memory = bench.device(1);
  begin();
  bench.order(compute, exchange);
  fill(exchange, memory);
  fill(compute, memory);
  bench.order(exchange, compute);
  ASSERT_EQ(end(), 0);
  ASSERT_EQ(bench->cudaGraphLaunch(instantiate(), compute), 0);
  bench.synchronize(compute);
  expectViolation(bench, "branch 1 of graph 0, command 3)");
}

TEST_F(SimCapture, LaunchesAreOrderedWithTheStream) {
  float *memory = bench.device(1);
  fill(compute, memory);
  begin();
  fill(compute, memory);
  ASSERT_EQ(end(), 0);
  gpu::GraphExec exec = instantiate();
  ASSERT_EQ(bench->cudaGraphLaunch(exec, compute), 0);
  ASSERT_EQ(bench->cudaGraphLaunch(exec, compute), 0);
  fill(compute, memory);
  bench.synchronize(compute);
  EXPECT_EQ(bench.violations(), "");
  fill(exchange, memory);
  ASSERT_EQ(bench->cudaGraphLaunch(exec, compute), 0);
  bench.synchronize(compute);
  bench.synchronize(exchange);
  EXPECT_NE(bench.violations(), "");
}

TEST_F(SimCapture, NothingRunsWhileRecording) {
  float *memory = bench.device(compute, {1});
  bench.synchronize(compute);
  begin();
  fill(compute, memory);
  EXPECT_EQ(bench.read(exchange, memory, 1), (std::vector<float>{1}));
  EXPECT_EQ(end(), 0);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimCapture, UnjoinedStream) {
  float *memory = bench.device(1);
  begin();
  bench.order(compute, exchange);
  fill(exchange, memory);
  EXPECT_NE(end(), 0);
  EXPECT_EQ(graph, nullptr);
  expectViolation(bench, "the graph ends, but stream 0 does not wait for all of stream 1");
}

TEST_F(SimCapture, SynchronisationSpoilsIt) {
  begin();
  EXPECT_EQ(bench->cudaStreamSynchronize(compute), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "cudaStreamSynchronize: stream 0 records a graph");
}

TEST_F(SimCapture, QueriesSpoilIt) {
  begin();
  EXPECT_EQ(bench->cudaStreamQuery(compute), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "cudaStreamQuery: stream 0 records a graph");
}

TEST_F(SimCapture, EventQueriesSpoilIt) {
  gpu::Event event = bench.event();
  begin();
  bench.record(event, compute);
  EXPECT_NE(bench->cudaEventQuery(event), 0);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "cudaEventQuery: the event was recorded in a graph");
}

TEST_F(SimCapture, AllocationSpoilsIt) {
  void *memory = nullptr;
  begin(threadLocal);
  std::thread([&] { EXPECT_EQ(bench->cudaMalloc(&memory, 4), 0); }).join();
  EXPECT_EQ(bench.violations(), "");
  EXPECT_EQ(bench->cudaMalloc(&memory, 4), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "cudaMalloc: not allowed while stream 0 of device 0 records a graph");
}

TEST_F(SimCapture, GlobalModeForbidsItToAllThreads) {
  void *memory = nullptr;
  begin(global);
  std::thread([&] { EXPECT_EQ(bench->cudaMalloc(&memory, 4), cudaErrorCaptureUnsupported); }).join();
  expectViolation(bench, "cudaMalloc: not allowed while stream 0 of device 0 records a graph");
}

TEST_F(SimCapture, RelaxedModeAllowsIt) {
  begin(relaxed);
  bench.device(1);
  EXPECT_EQ(end(), 0);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimCapture, PageableMemorySpoilsIt) {
  float *memory = bench.device(1), host = 0;
  begin();
  EXPECT_EQ(bench->cudaMemcpyAsync(memory, &host, 4, toDevice, compute), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "a copy in a graph needs pinned memory on the host");
}

TEST_F(SimCapture, PinnedMemoryIsReadAtEachLaunch) {
  float *memory = bench.device(1), *host = bench.pinned(1);
  begin();
  ASSERT_EQ(bench->cudaMemcpyAsync(memory, host, 4, toDevice, compute), 0);
  ASSERT_EQ(end(), 0);
  gpu::GraphExec exec = instantiate();
  for (float value : {2.0f, 3.0f}) {
    *host = value;
    ASSERT_EQ(bench->cudaGraphLaunch(exec, compute), 0);
    EXPECT_EQ(bench.read(compute, memory, 1), (std::vector<float>{value}));
  }
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimCapture, MemoryThatIsFreedBeforeTheLaunch) {
  float *memory = bench.device(1);
  begin();
  fill(compute, memory);
  ASSERT_EQ(end(), 0);
  gpu::GraphExec exec = instantiate();
  ASSERT_EQ(bench->cudaFree(memory), 0);
  EXPECT_NE(bench->cudaGraphLaunch(exec, compute), 0);
  expectViolation(
      bench, "cudaGraphLaunch: fill of 4 bytes writes bytes 0 to 3 of allocation 1 (4 bytes on device 0), "
             "which is freed");
}

TEST_F(SimCapture, EventsFromOutside) {
  gpu::Event event = bench.event();
  bench.record(event, exchange);
  begin();
  EXPECT_NE(bench->cudaStreamWaitEvent(compute, event, 0), 0);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "stream 0 records a graph, and the event was recorded outside of it");
}

TEST_F(SimCapture, EventsOfAFinishedGraph) {
  gpu::Event event = bench.event();
  begin();
  bench.record(event, compute);
  ASSERT_EQ(end(), 0);
  EXPECT_NE(bench->cudaStreamWaitEvent(exchange, event, 0), 0);
  expectViolation(bench, "the event was recorded in a graph that is finished");
}

TEST_F(SimCapture, TwoGraphsDoNotMerge) {
  gpu::Event event = bench.event();
  begin();
  ASSERT_EQ(bench->cudaStreamBeginCapture(exchange, threadLocal), 0);
  bench.record(event, exchange);
  EXPECT_NE(bench->cudaStreamWaitEvent(compute, event, 0), 0);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "stream 0 and the event's stream record different graphs");
}

TEST_F(SimCapture, BeginsAndEndsThatDoNotMatch) {
  EXPECT_NE(end(), 0);
  expectViolation(bench, "cudaStreamEndCapture: stream 0 records no graph");
}

TEST_F(SimCapture, EndByAnotherStream) {
  begin();
  bench.order(compute, exchange);
  EXPECT_NE(bench->cudaStreamEndCapture(exchange, &graph), 0);
  expectViolation(bench, "stream 1 did not begin the graph: stream 0 did");
}

TEST_F(SimCapture, EndByAnotherThread) {
  begin();
  std::thread([&] { EXPECT_NE(end(), 0); }).join();
  expectViolation(bench, "another thread began the graph");
}

TEST_F(SimCapture, BeginTwice) {
  begin();
  EXPECT_NE(bench->cudaStreamBeginCapture(compute, threadLocal), 0);
  expectViolation(bench, "stream 0 records a graph already");
}

TEST_F(SimCapture, ModesThatDoNotExist) {
  EXPECT_NE(bench->cudaStreamBeginCapture(compute, 3), 0);
  expectViolation(bench, "there is no capture mode 3");
}

TEST_F(SimCapture, GraphsInGraphs) {
  begin();
  ASSERT_EQ(end(), 0);
  gpu::GraphExec exec = instantiate();
  begin();
  EXPECT_EQ(bench->cudaGraphLaunch(exec, compute), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "the double has no graphs in graphs");
}

TEST_F(SimCapture, DestroyedStream) {
  begin();
  EXPECT_EQ(bench->cudaStreamDestroy(compute), cudaErrorCaptureUnsupported);
  EXPECT_EQ(end(), cudaErrorCaptureInvalidated);
  expectViolation(bench, "cudaStreamDestroy: stream 0 records a graph");
}

TEST_F(SimCapture, DestroyedGraphs) {
  begin();
  ASSERT_EQ(end(), 0);
  ASSERT_EQ(bench->cudaGraphDestroy(graph), 0);
  gpu::GraphExec exec = nullptr;
  EXPECT_NE(bench->cudaGraphInstantiate(&exec, graph, 0), 0);
  expectViolation(bench, "cudaGraphInstantiate: the graph does not exist: it may be destroyed");
  EXPECT_NE(bench->cudaGraphLaunch(exec, compute), 0);
}

TEST_F(SimCapture, GlobalModeForbidsQueriesOfOtherEvents) {
  gpu::Event event = bench.event();
  bench.record(event, exchange);
  begin(global);
  std::thread([&] { EXPECT_EQ(bench->cudaEventQuery(event), cudaErrorCaptureUnsupported); }).join();
  expectViolation(bench, "cudaEventQuery: not allowed while stream 0 of device 0 records a graph");
}

TEST_F(SimCapture, Leaks) {
  begin();
  ASSERT_EQ(end(), 0);
  instantiate();
  EXPECT_NE(message(bench.sim->checkLeaks()).find("1 graph, 1 instantiated graph"), std::string::npos);
}

} // namespace
