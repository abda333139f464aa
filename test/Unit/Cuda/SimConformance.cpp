//===- SimConformance.cpp - Tests of the GPU runtime on the double of GPUs ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestProgram.h"
#include "TestSupport.h"
#include "phantom-rt/GpuRuntime.h"
#include "phantom-rt/GpuSim.h"

#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

template <uint32_t kernel> void runTwin(void *const *arguments, TwinThread *thread) {
  if (thread->block == 0 && thread->thread == 0)
    runTestKernel(kernel, arguments);
}

/// The kernels of the test program, with what they read and write.
std::vector<KernelTwin> testTwins(const Program &program) {
  const TwinFunction functions[] = {runTwin<0>, runTwin<1>, runTwin<2>, runTwin<3>};
  std::vector<KernelTwin> twins;
  for (size_t i = 0; i < program.kernels.size(); ++i) {
    KernelTwin &twin = twins.emplace_back();
    twin.name = program.kernels[i];
    twin.run = functions[i];
    for (const KernelArgument &argument : program.kernelArguments[i])
      twin.arguments.push_back({argument.reads, argument.writes, argument.bytes});
  }
  return twins;
}

/// The test program on the double.
class SimConformance : public testing::Test {
protected:
  llvm::Error start(int64_t ranks) {
    sim.devices = options.exchange == GpuExchange::Nccl ? int(ranks) : 1;
    sim.memoryBytes = int64_t(1) << 24;
    gpus = value(GpuSim::create(sim));
    libraries.api = gpus->api();
    program = testProgram(ranks);
    image = registerTwins(testTwins(program));
    if (llvm::Error error = GpuRuntime::create(program, image, libraries, options).moveInto(runtime))
      return error;
    if (llvm::Error error = runtime->bind(program.functions[0]).moveInto(instance))
      return error;
    std::memcpy(instance->argument(0), x.data(), x.size() * sizeof(float));
    instance->setLearningRate(0.5);
    return llvm::Error::success();
  }
  llvm::Error step(int64_t number) {
    instance->setStep(number);
    return runtime->team().run([&](int64_t rank) { return instance->run(rank); });
  }
  /// The message of the first of some steps that fails.
  std::string messageOfSteps(int64_t ranks, int64_t steps = 3) {
    std::string text = message(start(ranks));
    for (int64_t i = 0; i < steps && text.empty(); ++i)
      text = message(step(i + 1));
    return text;
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
  void finish() {
    instance.reset();
    runtime.reset();
    EXPECT_SUCCESS(gpus->check());
    EXPECT_SUCCESS(gpus->checkLeaks());
    gpus.reset();
  }

  GpuSimOptions sim;
  GpuRuntimeOptions options;
  Program program;
  std::vector<char> image;
  GpuLibraries libraries;
  const std::vector<float> x = randomFloats(32, 1);
  std::unique_ptr<GpuSim> gpus;
  std::unique_ptr<GpuRuntime> runtime;
  std::unique_ptr<FunctionInstance> instance;
};

struct Case {
  int64_t ranks;
  GpuExchange exchange;
};
class SimSchedules : public SimConformance, public testing::WithParamInterface<Case> {};

} // namespace

TEST_P(SimSchedules, AllGiveThePlainNumbersAndTheSameBits) {
  options.exchange = GetParam().exchange;
  const int64_t ranks = GetParam().ranks, steps = 3;
  std::vector<std::vector<float>> first;
  for (SchedulePolicy policy :
       {SchedulePolicy::InOrder, SchedulePolicy::ComputeFirst, SchedulePolicy::ExchangeFirst,
        SchedulePolicy::Priorities, SchedulePolicy::Random})
    for (uint64_t seed = 0; seed < 8; ++seed) {
      sim.policy = policy;
      sim.scheduleSeed = seed;
      ASSERT_SUCCESS(start(ranks));
      const ExpectedStep expected = expectedSteps(ranks, steps, x, weights()).back();
      for (int64_t i = 0; i < steps; ++i)
        ASSERT_SUCCESS(step(i + 1));
      const std::vector<std::vector<float>> found = weights();
      if (first.empty())
        first = found;
      EXPECT_EQ(found, first) << "policy " << int(policy) << ", seed " << seed;
      for (int64_t rank = 0; rank < ranks; ++rank)
        expectClose(found[rank].data(), expected.w[rank], "w of rank " + std::to_string(rank));
      finish();
    }
}

INSTANTIATE_TEST_SUITE_P(Ranks, SimSchedules,
                         testing::Values(Case{1, GpuExchange::Nccl}, Case{2, GpuExchange::Nccl},
                                         Case{4, GpuExchange::Nccl}, Case{2, GpuExchange::Loopback},
                                         Case{3, GpuExchange::Loopback}),
                         [](const testing::TestParamInfo<Case> &info) {
                           return std::string(info.param.exchange == GpuExchange::Nccl ? "Nccl"
                                                                                       : "Loopback") +
                                  std::to_string(info.param.ranks);
                         });

TEST_F(SimConformance, AllToAllsBringEveryPeersBlock) {
  for (GpuExchange exchange : {GpuExchange::Nccl, GpuExchange::Loopback})
    for (ElementType element : {ElementType::F32, ElementType::BF16, ElementType::I8}) {
      options.exchange = exchange;
      sim.devices = exchange == GpuExchange::Nccl ? 3 : 1;
      sim.memoryBytes = int64_t(1) << 24;
      gpus = value(GpuSim::create(sim));
      libraries.api = gpus->api();
      program = permuteProgram(3, element);
      image = registerTwins({});
      runtime = value(GpuRuntime::create(program, image, libraries, options));
      expectPermuted(*runtime);
      finish();
    }
}

TEST_F(SimConformance, ARunWaitsForItsEndOnly) {
  ASSERT_SUCCESS(start(2));
  ASSERT_SUCCESS(step(1));
  const int64_t before = gpus->counts().hostWaits;
  ASSERT_SUCCESS(step(2));
  ASSERT_SUCCESS(step(3));
  // Polls of the stream are no waits: nothing else may block the host.
  EXPECT_EQ(gpus->counts().hostWaits, before);
  finish();
}

//===----------------------------------------------------------------------===//
// Injected faults
//===----------------------------------------------------------------------===//

TEST_F(SimConformance, ADeadRankEndsAtTheDeadline) {
  options.team.timeoutSeconds = 0.5;
  sim.faults.deadRanks = {{.rank = 1, .collective = 1}};
  const std::string text = messageOfSteps(2);
  EXPECT_TRUE(contains(text, "waited 0.5"));
  EXPECT_TRUE(contains(text, "the end of 'train_step', at the all-gather 'ghosts'"));
}

TEST_F(SimConformance, ADeadRankInAGraphEndsAtTheDeadline) {
  options.team.timeoutSeconds = 0.5;
  sim.faults.deadRanks = {{.rank = 1, .collective = 4}};
  EXPECT_TRUE(contains(messageOfSteps(2), "s for the end of 'train_step'"));
}

TEST_F(SimConformance, ASlowRankIsWaitedFor) {
  sim.faults.slowRanks = {{.rank = 1, .collective = 2, .polls = 50}};
  EXPECT_EQ(messageOfSteps(2), "");
  finish();
}

TEST_F(SimConformance, AnAsynchronousErrorEndsAllRanks) {
  sim.faults.asyncErrors = {{.rank = 1, .collective = 2}};
  EXPECT_TRUE(contains(messageOfSteps(2), "NCCL says '"));
}

TEST_F(SimConformance, AKernelThatFailsEndsAllRanks) {
  sim.faults.failedKernel = 3;
  // The rank's next call is of CUDA or of NCCL, which sees the broken device first or second.
  const std::string message = messageOfSteps(2);
  EXPECT_TRUE(contains(message, "cudaErrorLaunchFailure") || contains(message, "ncclUnhandledCudaError"))
      << message;
}

TEST_F(SimConformance, OutOfMemoryAtEachAllocation) {
  for (int64_t allocation = 1; allocation <= 10; ++allocation) {
    sim.faults.failedAllocation = allocation;
    EXPECT_TRUE(contains(messageOfSteps(2, 0), "bytes of GPU memory for ")) << allocation;
    instance.reset();
    runtime.reset();
    gpus.reset();
  }
}
