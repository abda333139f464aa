//===- GpuRuntimeTest.cpp - Tests of programs on GPUs ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/GpuRuntime.h"
#include "TestProgram.h"
#include "TestSupport.h"

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;
using gpu::LibraryName;

namespace {

/// A runtime of the test program on the fake.
class GpuRuntimeTest : public testing::Test {
protected:
  void SetUp() override { addTestKernels(gpu); }

  llvm::Expected<std::unique_ptr<GpuRuntime>> create(int64_t ranks) {
    gpu.devices = std::max(gpu.devices, options.exchange == GpuExchange::Nccl ? int(ranks) : 1);
    return createAsItIs(ranks);
  }
  llvm::Expected<std::unique_ptr<GpuRuntime>> createAsItIs(int64_t ranks) {
    program = testProgram(ranks);
    return GpuRuntime::create(program, image, gpu.libraries, options);
  }

  /// Binds the function and gives it its input.
  void bind() {
    instance = value(runtime->bind(program.functions[0]));
    std::memcpy(instance->argument(0), x.data(), x.size() * sizeof(float));
    instance->setLearningRate(0.5);
  }
  llvm::Error step(int64_t number) {
    instance->setStep(number);
    return runtime->team().run([&](int64_t rank) { return instance->run(rank); });
  }
  std::vector<std::vector<float>> weights() {
    EXPECT_SUCCESS(runtime->fetchParameters());
    std::vector<std::vector<float>> all;
    for (int64_t rank = 0; rank < program.ranks; ++rank) {
      const auto *begin = reinterpret_cast<const float *>(runtime->parameters().address(rank, 0));
      all.emplace_back(begin, begin + 64);
    }
    return all;
  }

  FakeGpu gpu;
  GpuRuntimeOptions options;
  Program program;
  const std::vector<char> image = {'\0'};
  const std::vector<float> x = randomFloats(32, 1);
  std::unique_ptr<GpuRuntime> runtime;
  std::unique_ptr<FunctionInstance> instance;
};

/// How many ranks, and how they exchange.
class Exchanges : public GpuRuntimeTest, public testing::WithParamInterface<std::pair<int, GpuExchange>> {};

} // namespace

TEST_P(Exchanges, StepsEqualThePlainOnes) {
  const int64_t ranks = GetParam().first, steps = 5;
  options.exchange = GetParam().second;
  runtime = value(create(ranks));
  bind();
  const std::vector<ExpectedStep> expected = expectedSteps(ranks, steps, x, weights());
  for (int64_t i = 0; i < steps; ++i) {
    ASSERT_SUCCESS(step(i + 1));
    const Result &out = *instance->result(Role::Output), &loss = *instance->result(Role::Loss);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      expectClose(reinterpret_cast<const float *>(instance->address(rank, out)), expected[i].out[rank],
                  "out of rank " + std::to_string(rank));
      EXPECT_NEAR(instance->scalar(rank, loss), expected[i].loss, 1e-5 * std::abs(expected[i].loss));
    }
  }
  const std::vector<std::vector<float>> found = weights();
  for (int64_t rank = 0; rank < ranks; ++rank)
    expectClose(found[rank].data(), expected.back().w[rank], "w of rank " + std::to_string(rank));
  // A graph holds one rank's commands; loopback's events are of all.
  const bool captured = options.exchange == GpuExchange::Nccl && ranks > 1;
  EXPECT_EQ(gpu.graphLaunches, captured ? ranks * (steps - 1) : 0);
  instance.reset();
  runtime.reset();
  EXPECT_EQ(gpu.live(), 0);
}

TEST_P(Exchanges, AllToAllsBringEveryPeersBlock) {
  options.exchange = GetParam().second;
  for (ElementType element : {ElementType::F32, ElementType::BF16, ElementType::I8}) {
    gpu.devices = GetParam().second == GpuExchange::Loopback ? 1 : int(GetParam().first);
    program = permuteProgram(GetParam().first, element);
    runtime = value(GpuRuntime::create(program, image, gpu.libraries, options));
    expectPermuted(*runtime);
    runtime.reset();
    EXPECT_EQ(gpu.live(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, Exchanges,
                         testing::Values(std::pair(1, GpuExchange::Nccl), std::pair(2, GpuExchange::Nccl),
                                         std::pair(4, GpuExchange::Nccl), std::pair(1, GpuExchange::Loopback),
                                         std::pair(3, GpuExchange::Loopback)));

TEST_F(GpuRuntimeTest, ChangedParametersReachTheGpu) {
  runtime = value(create(2));
  bind();
  ASSERT_SUCCESS(step(1));
  ASSERT_SUCCESS(runtime->fetchParameters());
  const std::vector<float> given = randomFloats(128, 7);
  runtime->parameters().set(0, reinterpret_cast<const std::byte *>(given.data()));
  const std::vector<std::vector<float>> begin = {{given.begin(), given.begin() + 64},
                                                 {given.begin() + 64, given.end()}};
  ASSERT_SUCCESS(step(1));
  const ExpectedStep expected = expectedSteps(2, 1, x, begin)[0];
  const std::vector<std::vector<float>> found = weights();
  for (size_t rank : {0, 1})
    expectClose(found[rank].data(), expected.w[rank], "w");
}

TEST_F(GpuRuntimeTest, CountsExchanges) {
  runtime = value(create(4));
  bind();
  for (int64_t rank = 0; rank < 4; ++rank)
    runtime->team().communicator(rank).counters = {};
  ASSERT_SUCCESS(step(1));
  for (int64_t rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(runtime->team().communicator(rank).counters.exchanges, 3);
    EXPECT_EQ(runtime->team().communicator(rank).counters.bytes, 3 * (128 + 32 + 4));
  }
}

TEST_F(GpuRuntimeTest, MeasuresCommandsWhereAsked) {
  runtime = value(create(2));
  bind();
  std::vector<CommandTiming> timings;
  instance->setTimings(1, &timings);
  ASSERT_SUCCESS(step(1));
  ASSERT_EQ(timings.size(), program.functions[0].commands.size());
  for (size_t i = 0; i < timings.size(); ++i) {
    EXPECT_EQ(timings[i].command, i);
    EXPECT_LE(timings[i].begin, timings[i].end);
  }
}

//===----------------------------------------------------------------------===//
// What this machine must have
//===----------------------------------------------------------------------===//

TEST_F(GpuRuntimeTest, AMissingLibrary) {
  gpu.libraries.problems[size_t(LibraryName::Cudart)] = "cannot load libcudart.so.13";
  EXPECT_EQ(message(create(1)), "no GPU can be used: cannot load libcudart.so.13; or use --device cpu");
}

TEST_F(GpuRuntimeTest, NoDriver) {
  gpu.driverVersion = 0;
  gpu.fail("cudaGetDeviceCount", 1, 35);
  EXPECT_EQ(message(create(1)), "this machine has no NVIDIA driver; install one, or use --device cpu");
}

TEST_F(GpuRuntimeTest, AnOldDriver) {
  gpu.driverVersion = 12020;
  gpu.fail("cudaGetDeviceCount", 1, 35);
  EXPECT_EQ(message(create(1)),
            "the NVIDIA driver is too old: it is for CUDA 12.2, and the CUDA runtime here is 13.0; install a "
            "newer driver, or use --device cpu");
}

TEST_F(GpuRuntimeTest, NoGpu) {
  gpu.fail("cudaGetDeviceCount", 1, 100);
  EXPECT_TRUE(contains(message(create(1)), "this machine has no GPU that CUDA can use"));
}

TEST_F(GpuRuntimeTest, AnOldGpu) {
  gpu.capability = 7;
  EXPECT_EQ(message(create(1)), "GPU 0 has compute capability 7.0; 8.0 or newer is needed");
}

TEST_F(GpuRuntimeTest, TooFewGpus) {
  gpu.devices = 2;
  EXPECT_EQ(message(createAsItIs(4)),
            "4 ranks need 4 GPUs, but this machine has 2; use fewer ranks, or --communicator loopback");
}

TEST_F(GpuRuntimeTest, NoNccl) {
  gpu.libraries.api.ncclGetVersion = nullptr;
  gpu.libraries.problems[size_t(LibraryName::Nccl)] = "cannot load libnccl.so.2; install NCCL 2.28 or newer";
  EXPECT_EQ(message(create(2)),
            "several ranks on GPUs need NCCL: cannot load libnccl.so.2; install NCCL 2.28 or newer");
  EXPECT_EQ(message(create(1)), "");
}

TEST_F(GpuRuntimeTest, AnOldNccl) {
  gpu.ncclVersion = 22105;
  EXPECT_EQ(message(create(2)), "NCCL 2.21.5 is too old; install NCCL 2.28 or newer");
}

TEST_F(GpuRuntimeTest, AProgramForACpu) {
  program = testProgram(1);
  program.device = DeviceKind::Cpu;
  EXPECT_EQ(message(GpuRuntime::create(program, image, gpu.libraries, options)),
            "the program was compiled for a CPU, not for GPUs");
}

TEST_F(GpuRuntimeTest, AKernelThatTheCodeLacks) {
  gpu.kernels.erase("loss");
  EXPECT_TRUE(contains(message(create(1)), "finding the kernel 'loss' in the program's code"));
}

//===----------------------------------------------------------------------===//
// What goes wrong later
//===----------------------------------------------------------------------===//

TEST_F(GpuRuntimeTest, OutOfMemoryAtEachAllocation) {
  // Until no allocation is left that fails.
  int64_t failures = 0;
  for (int64_t call = 1;; ++call, ++failures) {
    gpu.fail("cudaMalloc", call, 2);
    std::string text = message(create(2).moveInto(runtime));
    if (text.empty())
      text = message(runtime->bind(testProgram(2).functions[0]).moveInto(instance));
    instance.reset();
    runtime.reset();
    EXPECT_EQ(gpu.live(), 0);
    if (text.empty())
      break;
    EXPECT_TRUE(contains(text, "bytes of GPU memory for "));
    EXPECT_TRUE(contains(text, "cudaErrorMemoryAllocation"));
    EXPECT_TRUE(contains(text, "use a smaller batch size"));
  }
  // On each of two ranks: parameters, arguments, arena, rank and workspace.
  EXPECT_EQ(failures, 10);
}

TEST_F(GpuRuntimeTest, OutOfMemoryForExchanges) {
  gpu.fail("ncclMemAlloc", 2, 1);
  EXPECT_TRUE(contains(message(create(2)), "allocating 4096 bytes of GPU memory for exchanges"));
}

TEST_F(GpuRuntimeTest, AFailedLaunchNamesTheKernel) {
  runtime = value(create(2));
  bind();
  gpu.fail("cudaLaunchKernel", 2, 719);
  const std::string text = message(step(1));
  EXPECT_TRUE(contains(text, "starting the kernel '"));
  EXPECT_TRUE(contains(text, "(test.mlir:"));
  EXPECT_TRUE(contains(text, "cudaErrorLaunchFailure"));
  EXPECT_TRUE(contains(message(step(2)), "it stopped after an earlier error"));
}

TEST_F(GpuRuntimeTest, AnErrorWhileTheGpuRuns) {
  runtime = value(create(2));
  bind();
  gpu.fail("cudaStreamQuery", 1, 719);
  const std::string text = message(step(1));
  EXPECT_TRUE(contains(text, "the end of 'train_step'"));
  EXPECT_TRUE(contains(text, ": cudaErrorLaunchFailure"));
}

TEST_F(GpuRuntimeTest, AnAsynchronousErrorOfNccl) {
  runtime = value(create(2));
  bind();
  gpu.deadRanks = {0};
  gpu.asyncErrors = {{1, 6}};
  EXPECT_TRUE(
      contains(message(step(1)),
               "rank 1 (GPU 1): the end of 'train_step', at the all-gather 'ghosts' (test.mlir:ghosts): "
               "an exchange failed: NCCL says 'remote process exited'"));
}

TEST_F(GpuRuntimeTest, ARankThatNeverComesEndsAtTheDeadline) {
  options.team.timeoutSeconds = 0.2;
  runtime = value(create(3));
  bind();
  gpu.deadRanks = {2};
  const std::string text = message(step(1));
  EXPECT_TRUE(contains(text, "waited 0.2"));
  EXPECT_TRUE(contains(text, "the end of 'train_step', at the all-gather 'ghosts' (test.mlir:ghosts)"));
  EXPECT_TRUE(contains(text, "--timeout"));
}

TEST_F(GpuRuntimeTest, ALongWaitCanBeAskedFor) {
  options.team.timeoutSeconds = 3;
  runtime = value(create(2));
  bind();
  gpu.deadRanks = {1};
  const RankPosition &position = runtime->team().communicator(0).position;
  std::atomic<bool> isDone{false};
  std::string seen;
  std::thread asking([&] {
    while (!isDone && seen.empty()) {
      seen = position.wait();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  EXPECT_NE(message(step(1)), "");
  isDone = true;
  asking.join();
  EXPECT_EQ(seen, "GPU 0, for the end of 'train_step', at the all-gather 'ghosts' (test.mlir:ghosts)");
  EXPECT_EQ(position.wait(), "");
}

TEST_F(GpuRuntimeTest, AFailureWhileJoiningEndsAllRanks) {
  gpu.fail("ncclCommInitRankConfig", 2, 1);
  options.team.timeoutSeconds = 5;
  EXPECT_TRUE(contains(message(create(3)), "the other ranks to join the NCCL communicator"));
}

TEST_F(GpuRuntimeTest, ARankThatNeverJoinsIsTheErrorThatIsTold) {
  gpu.absentRanks = {1};
  options.team.timeoutSeconds = 0.2;
  const std::string text = message(create(3));
  EXPECT_TRUE(contains(text, "waited 0.2"));
  EXPECT_TRUE(contains(text, "s for the other ranks to join the NCCL communicator"));
}

TEST_F(GpuRuntimeTest, AFailedCaptureSaysSo) {
  runtime = value(create(2));
  bind();
  ASSERT_SUCCESS(step(1));
  gpu.fail("cudaGraphInstantiate", 1, 719);
  EXPECT_TRUE(contains(message(step(2)), "capturing 'train_step' as a graph"));
}

//===----------------------------------------------------------------------===//
// Energy
//===----------------------------------------------------------------------===//

TEST_F(GpuRuntimeTest, ReadsTheEnergyOfAllGpus) {
  runtime = value(create(2));
  auto source = runtime->deviceEnergy();
  const EnergyReading first = source->read(), second = source->read();
  ASSERT_TRUE(first.joules && second.joules);
  // The fake counts 0.25 J per reading of a GPU: 1 + 2 quarters, and then 3 + 4.
  EXPECT_NEAR(*first.joules, 0.75, 1e-12);
  EXPECT_NEAR(*second.joules, 1.75, 1e-12);
}

TEST_F(GpuRuntimeTest, MissingEnergyHasAReason) {
  gpu.fail("nvmlInit_v2", 1, 9);
  runtime = value(create(1));
  auto source = runtime->deviceEnergy();
  EXPECT_FALSE(source->read().joules);
  EXPECT_EQ(source->read().reason, "NVML: some error");
}
