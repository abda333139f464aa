//===- KernelTest.cpp - Kernels that run as their twins -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

int64_t index(const TwinThread *thread) { return thread->block * thread->threads + thread->thread; }

void addOne(void *const *arguments, TwinThread *thread) {
  const auto *from = static_cast<const float *>(arguments[0]);
  auto *to = static_cast<float *>(arguments[1]);
  if (index(thread) < 10)
    to[index(thread)] = from[index(thread)] + 1;
}

void double10(void *const *arguments, TwinThread *thread) {
  auto *values = static_cast<float *>(arguments[0]);
  if (index(thread) < 10)
    values[index(thread)] *= 2;
}

// Writes elements with an even index only.
void evens(void *const *arguments, TwinThread *thread) {
  if (index(thread) < 10 && index(thread) % 2 == 0)
    static_cast<float *>(arguments[0])[index(thread)] = 7;
}

void writesArgumentZero(void *const *arguments, TwinThread *thread) {
  if (index(thread) == 0)
    static_cast<float *>(arguments[0])[0] = 1;
}

void writesBehind(void *const *arguments, TwinThread *thread) {
  if (index(thread) == 0)
    static_cast<float *>(arguments[1])[10] = 1;
}

void accumulates(void *const *arguments, TwinThread *thread) {
  if (index(thread) < 10)
    static_cast<float *>(arguments[1])[index(thread)] += 1;
}

void lastThreadWins(void *const *arguments, TwinThread *thread) {
  static_cast<float *>(arguments[0])[0] = float(index(thread));
}

// A block sums the elements of its row in a tree.
void sumRows(void *const *arguments, TwinThread *thread) {
  auto *shared = reinterpret_cast<float *>(thread->workgroup);
  shared[thread->thread] = static_cast<const float *>(arguments[0])[index(thread)];
  for (int64_t half = thread->threads / 2; half > 0; half /= 2) {
    phantom_twin_barrier(thread);
    if (thread->thread < half)
      shared[thread->thread] += shared[thread->thread + half];
  }
  if (thread->thread == 0)
    static_cast<float *>(arguments[1])[thread->block] = shared[0];
}

void sumRowsWithoutBarriers(void *const *arguments, TwinThread *thread) {
  TwinThread copy = *thread;
  auto *shared = reinterpret_cast<float *>(copy.workgroup);
  shared[thread->thread] = static_cast<const float *>(arguments[0])[index(thread)];
  phantom_twin_barrier(thread);
  if (thread->thread < 4)
    shared[thread->thread] += shared[thread->thread + 4];
  if (thread->thread == 0)
    static_cast<float *>(arguments[1])[thread->block] = shared[0] + shared[1] + shared[2] + shared[3];
}

void diverges(void *const *, TwinThread *thread) {
  if (thread->thread % 2 == 0)
    phantom_twin_barrier(thread);
}

void usesTooMuchWorkgroupMemory(void *const *, TwinThread *thread) {
  reinterpret_cast<float *>(thread->workgroup)[2] = 1;
}

const std::vector<char> &image() {
  const TwinArgument in = {true, false, 40}, out = {false, true, 40}, both = {true, true, 40};
  const TwinArgument rowsIn = {true, false, 64}, rowsOut = {false, true, 8};
  static const std::vector<char> image = registerTwins({
      {"add_one", addOne, false, 0, {in, out}},
      {"double", double10, false, 0, {both}},
      {"evens", evens, false, 0, {out}},
      {"writes_argument_zero", writesArgumentZero, false, 0, {in, out}},
      {"undeclared", writesArgumentZero, false, 0, {{false, false, 0}}},
      {"writes_behind", writesBehind, false, 0, {in, out}},
      {"accumulates", accumulates, false, 0, {in, out}},
      {"last_thread_wins", lastThreadWins, false, 0, {out}},
      {"sum_rows", sumRows, true, 32, {rowsIn, rowsOut}},
      {"sum_rows_without_barriers", sumRowsWithoutBarriers, true, 32, {rowsIn, rowsOut}},
      {"unknown_barrier", diverges, false, 0, {}},
      {"diverges", diverges, true, 0, {}},
      {"workgroup", usesTooMuchWorkgroupMemory, false, 8, {}},
      {"large", diverges, false, 48 * 1024, {}},
  });
  return image;
}

class SimKernel : public ::testing::Test {
protected:
  SimKernel() : SimKernel(GpuSimOptions{}) {}
  explicit SimKernel(GpuSimOptions options) : bench(std::move(options)) {
    EXPECT_EQ(bench->cudaLibraryLoadData(&library, image().data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
              0);
    stream = bench.stream();
  }

  int launch(const char *name, std::vector<void *> arguments, unsigned blocks = 3, unsigned threads = 4) {
    gpu::Kernel kernel = nullptr;
    EXPECT_EQ(bench->cudaLibraryGetKernel(&kernel, library, name), 0);
    std::vector<void *> addresses;
    for (void *&argument : arguments)
      addresses.push_back(&argument);
    return bench->cudaLaunchKernel(kernel, {blocks, 1, 1}, {threads, 1, 1}, addresses.data(), 0, stream);
  }

  Bench bench;
  gpu::Library library = nullptr;
  gpu::Stream stream = nullptr;
  std::vector<float> numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
};

TEST_F(SimKernel, RunsEachThreadOnce) {
  float *from = bench.device(stream, numbers), *to = bench.device(10);
  ASSERT_EQ(launch("add_one", {from, to}), 0);
  EXPECT_EQ(bench.read(stream, to, 10), (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  ASSERT_EQ(launch("double", {from}), 0);
  EXPECT_EQ(bench.read(stream, from, 10), (std::vector<float>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
  EXPECT_EQ(bench.violations(), "");
  EXPECT_EQ(bench.sim->counts().kernels, 2);
}

TEST_F(SimKernel, InPlace) {
  float *memory = bench.device(stream, numbers);
  ASSERT_EQ(launch("add_one", {memory, memory}), 0);
  EXPECT_EQ(bench.read(stream, memory, 10), (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimKernel, LeavesWhatItDoesNotWrite) {
  float *memory = bench.device(stream, numbers);
  ASSERT_EQ(launch("evens", {memory}), 0);
  EXPECT_EQ(bench.read(stream, memory, 10), (std::vector<float>{7, 1, 7, 3, 7, 5, 7, 7, 7, 9}));
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimKernel, ArgumentsAreReadAtTheCall) {
  float *from = bench.device(stream, numbers), *to = bench.device(10);
  void *first = from, *second = to;
  void *addresses[] = {&first, &second};
  gpu::Kernel kernel = nullptr;
  ASSERT_EQ(bench->cudaLibraryGetKernel(&kernel, library, "add_one"), 0);
  ASSERT_EQ(bench->cudaLaunchKernel(kernel, {3, 1, 1}, {4, 1, 1}, addresses, 0, stream), 0);
  first = second = nullptr;
  EXPECT_EQ(bench.read(stream, to, 1), (std::vector<float>{1}));
}

TEST_F(SimKernel, BarriersOfABlock) {
  std::vector<float> rows(16);
  for (int i = 0; i < 16; ++i)
    rows[i] = float(i);
  float *from = bench.device(stream, rows), *to = bench.device(2);
  ASSERT_EQ(launch("sum_rows", {from, to}, 2, 8), 0);
  EXPECT_EQ(bench.read(stream, to, 2), (std::vector<float>{28, 92}));
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimKernel, ABarrierIsMissing) {
  float *from = bench.device(stream, std::vector<float>(16, 1)), *to = bench.device(2);
  std::string violations;
  for (int i = 0; i < 20 && violations.empty(); ++i) {
    ASSERT_EQ(launch("sum_rows_without_barriers", {from, to}, 2, 8), 0);
    bench.synchronize(stream);
    violations = bench.violations();
  }
  EXPECT_NE(violations.find("its result depends on the order of its threads"), std::string::npos);
}

TEST_F(SimKernel, BarrierThatTheTableDoesNotName) {
  ASSERT_EQ(launch("unknown_barrier", {}), 0);
  bench.synchronize(stream);
  expectViolation(bench,
                  "kernel 'unknown_barrier' (device 0, stream 0, command 1): it has a barrier, and its table "
                  "says that it has none");
}

TEST_F(SimKernel, ThreadsThatEndBeforeABarrier) {
  ASSERT_EQ(launch("diverges", {}, 1, 4), 0);
  bench.synchronize(stream);
  expectViolation(bench, "some threads of block 0 end while others wait at a barrier");
}

TEST_F(SimKernel, WorkgroupMemoryHasAnEnd) {
  ASSERT_EQ(launch("workgroup", {}, 1, 1), 0);
  bench.synchronize(stream);
  expectViolation(bench, "block 0 writes outside of its 8 bytes of workgroup memory");
}

TEST_F(SimKernel, WritesWhatItOnlyReads) {
  ASSERT_EQ(launch("writes_argument_zero", {bench.device(stream, numbers), bench.device(10)}), 0);
  bench.synchronize(stream);
  expectViolation(bench, "it writes an argument that its table says it only reads");
}

TEST_F(SimKernel, WritesBehindItsArgument) {
  ASSERT_EQ(launch("writes_behind", {bench.device(stream, numbers), bench.device(20)}), 0);
  bench.synchronize(stream);
  expectViolation(bench, "it writes outside of the bytes that its table gives it");
}

TEST_F(SimKernel, WritesWhatTheTableDoesNotHave) {
  ASSERT_EQ(launch("undeclared", {bench.device(20)}), 0);
  bench.synchronize(stream);
  expectViolation(
      bench, "kernel 'undeclared' (device 0, stream 0, command 1): it writes outside of the bytes that its "
             "table gives it");
}

TEST_F(SimKernel, ReadsWhatItOnlyWrites) {
  ASSERT_EQ(launch("accumulates", {bench.device(stream, numbers), bench.device(stream, numbers)}), 0);
  bench.synchronize(stream);
  expectViolation(bench, "or on an argument that its table says it only writes");
}

TEST_F(SimKernel, DependsOnTheOrderOfThreads) {
  float *memory = bench.device(10);
  std::string violations;
  for (int i = 0; i < 20 && violations.empty(); ++i) {
    ASSERT_EQ(launch("last_thread_wins", {memory}), 0);
    bench.synchronize(stream);
    violations = bench.violations();
  }
  EXPECT_NE(violations.find("kernel 'last_thread_wins'"), std::string::npos);
}

TEST_F(SimKernel, MemoryThatIsTooSmall) {
  EXPECT_EQ(launch("double", {bench.device(9)}), cudaErrorInvalidValue);
  expectViolation(
      bench, "kernel 'double' reads bytes 0 to 39 of allocation 1 (36 bytes on device 0): behind its end");
}

TEST_F(SimKernel, PinnedMemoryIsNotForKernels) {
  EXPECT_EQ(launch("double", {bench.pinned(10)}), cudaErrorInvalidValue);
  expectViolation(bench, "of pinned memory 1 (40 bytes) from device 0");
}

TEST_F(SimKernel, RacesAreNamed) {
  float *memory = bench.device(stream, numbers);
  bench.synchronize(stream);
  ASSERT_EQ(launch("double", {memory}), 0);
  bench.synchronize(stream);
  gpu::Stream first = stream;
  ASSERT_EQ(launch("double", {memory}), 0);
  stream = bench.stream();
  ASSERT_EQ(launch("double", {memory}), 0);
  bench.synchronize(first);
  bench.synchronize(stream);
  EXPECT_NE(bench.violations().find("nothing orders it with kernel 'double' (device 0, stream "),
            std::string::npos);
}

TEST_F(SimKernel, Limits) {
  float *memory = bench.device(stream, numbers);
  EXPECT_EQ(launch("double", {memory}, 1, 1025), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch("double", {memory}, 0, 1), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch("double", {memory}, 1u << 31, 1), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch("double", {memory}, 1, 0), cudaErrorInvalidConfiguration);
  gpu::Kernel kernel = nullptr;
  ASSERT_EQ(bench->cudaLibraryGetKernel(&kernel, library, "large"), 0);
  EXPECT_EQ(bench->cudaLaunchKernel(kernel, {1, 1, 1}, {1, 1, 1}, nullptr, 1, stream), cudaErrorInvalidValue);
  EXPECT_EQ(bench.read(stream, memory, 10), numbers);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimKernel, TwoDimensions) {
  gpu::Kernel kernel = nullptr;
  ASSERT_EQ(bench->cudaLibraryGetKernel(&kernel, library, "diverges"), 0);
  EXPECT_NE(bench->cudaLaunchKernel(kernel, {1, 2, 1}, {1, 1, 1}, nullptr, 0, stream), 0);
  expectViolation(bench, "the double runs kernels with one-dimensional grids and blocks");
}

TEST_F(SimKernel, UnknownNamesAndImages) {
  gpu::Kernel kernel = nullptr;
  EXPECT_EQ(bench->cudaLibraryGetKernel(&kernel, library, "no_such"), 500);
  gpu::Library other = nullptr;
  const char text[] = ".version 8.0 .target sm_80";
  EXPECT_EQ(bench->cudaLibraryLoadData(&other, text, nullptr, nullptr, 0, nullptr, nullptr, 0), 200);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimKernel, UnloadedLibraries) {
  gpu::Kernel kernel = nullptr;
  ASSERT_EQ(bench->cudaLibraryGetKernel(&kernel, library, "diverges"), 0);
  EXPECT_NE(message(bench.sim->checkLeaks()).find("1 kernel library"), std::string::npos);
  ASSERT_EQ(bench->cudaLibraryUnload(library), 0);
  EXPECT_NE(bench->cudaLaunchKernel(kernel, {1, 1, 1}, {1, 1, 1}, nullptr, 0, stream), 0);
  expectViolation(bench, "cudaLaunchKernel: the kernel does not exist: it may be destroyed");
}

TEST_F(SimKernel, Graphs) {
  float *from = bench.device(stream, numbers), *to = bench.device(10);
  gpu::Graph graph = nullptr;
  gpu::GraphExec exec = nullptr;
  ASSERT_EQ(bench->cudaStreamBeginCapture(stream, 1), 0);
  ASSERT_EQ(launch("add_one", {from, to}), 0);
  ASSERT_EQ(launch("add_one", {to, from}), 0);
  ASSERT_EQ(bench->cudaStreamEndCapture(stream, &graph), 0);
  ASSERT_EQ(bench->cudaGraphInstantiate(&exec, graph, 0), 0);
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(bench->cudaGraphLaunch(exec, stream), 0);
  EXPECT_EQ(bench.read(stream, from, 3), (std::vector<float>{6, 7, 8}));
  EXPECT_EQ(bench.violations(), "");
}

class SimLateKernel : public SimKernel {
protected:
  SimLateKernel() : SimKernel(options()) {}
  static GpuSimOptions options() {
    GpuSimOptions options;
    options.policy = SchedulePolicy::ExchangeFirst;
    options.faults.failedKernel = 2;
    return options;
  }
};

TEST_F(SimLateKernel, UnloadWhileQueued) {
  ASSERT_EQ(launch("evens", {bench.device(10)}), 0);
  ASSERT_EQ(bench->cudaLibraryUnload(library), 0);
  expectViolation(bench,
                  "the library is unloaded before kernel 'evens' (device 0, stream 0, command 1) has run");
}

TEST_F(SimLateKernel, AfterAFailureNothingRunsThatCouldUseMemory) {
  float *memory = bench.device(stream, numbers), *host = bench.pinned(10);
  ASSERT_EQ(bench->cudaMemcpyAsync(host, memory, 40, toHost, stream), 0);
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(launch("double", {memory}), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(host, memory, 40, toHost, stream), 0);
  EXPECT_EQ(bench->cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  (void)bench->cudaFreeHost(host);
  (void)bench->cudaLibraryUnload(library);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimLateKernel, AFailedKernelBreaksItsDevice) {
  float *memory = bench.device(stream, numbers);
  ASSERT_EQ(launch("double", {memory}), 0);
  ASSERT_EQ(launch("double", {memory}), 0);
  EXPECT_EQ(bench->cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_EQ(launch("double", {memory}), cudaErrorLaunchFailure);
  void *more = nullptr;
  EXPECT_EQ(bench->cudaMalloc(&more, 4), cudaErrorLaunchFailure);
  EXPECT_STREQ(bench->cudaGetErrorName(cudaErrorLaunchFailure), "cudaErrorLaunchFailure");
  EXPECT_EQ(bench.violations(), "");
}

} // namespace
