//===- GpuProcessesTest.cpp - Tests of GPUs of several processes ----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Runtime/Processes.h"
#include "TestProgram.h"
#include "phantom-rt/GpuRuntime.h"

#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// Processes, played by threads, whose runtimes meet in one fake.
class GpuProcessesTest : public testing::Test {
protected:
  void SetUp() override {
    addTestKernels(gpu);
    gpu.devices = 2;
  }

  llvm::Expected<std::unique_ptr<GpuRuntime>> create(ProcessGroup &group) {
    GpuRuntimeOptions options;
    options.team.processes = &group;
    return GpuRuntime::create(program, image, gpu.libraries, options);
  }

  FakeGpu gpu;
  const Program program = testProgram(2);
  const std::vector<char> image = {'\0'};
  const std::vector<float> x = randomFloats(32, 1);
};

} // namespace

TEST_F(GpuProcessesTest, StepsEqualThePlainOnes) {
  const int64_t steps = 3;
  onGroup(2, [&](ProcessGroup &group) {
    std::unique_ptr<GpuRuntime> runtime = value(create(group));
    std::unique_ptr<FunctionInstance> instance = value(runtime->bind(program.functions[0]));
    const int64_t rank = group.rank();
    auto weights = [&] {
      EXPECT_SUCCESS(runtime->fetchParameters());
      std::vector<std::vector<float>> all(2);
      for (int64_t one = 0; one < 2; ++one)
        if (runtime->parameters().has(one)) {
          const auto *begin = reinterpret_cast<const float *>(runtime->parameters().address(one, 0));
          all[size_t(one)].assign(begin, begin + 64);
        }
      return all;
    };
    EXPECT_EQ(runtime->deviceEnergy(), nullptr) << "no process sees the GPUs of all";
    std::memcpy(instance->argument(0), x.data(), x.size() * sizeof(float));
    instance->setLearningRate(0.5);
    std::vector<std::vector<float>> first = weights();
    EXPECT_EQ(first[0].empty(), rank != 0);
    EXPECT_FALSE(first[1].empty());
    std::vector<float> both(128);
    for (int64_t one = 0; one < 2; ++one)
      std::copy(first[size_t(one)].begin(), first[size_t(one)].end(), both.begin() + one * 64);
    ASSERT_SUCCESS(
        group.broadcast({reinterpret_cast<std::byte *>(both.data()), 128 * sizeof(float)}, "weights"));
    const std::vector<ExpectedStep> expected =
        expectedSteps(2, steps, x, {{both.begin(), both.begin() + 64}, {both.begin() + 64, both.end()}});
    for (int64_t i = 0; i < steps; ++i) {
      instance->setStep(i + 1);
      ASSERT_SUCCESS(runtime->team().run([&](int64_t own) { return instance->run(own); }));
      const float *out =
          reinterpret_cast<const float *>(instance->address(rank, *instance->result(Role::Output)));
      expectClose(out, expected[size_t(i)].out[size_t(rank)], "out");
    }
    const std::vector<std::vector<float>> found = weights();
    for (int64_t one = rank; one < (rank == 0 ? 2 : rank + 1); ++one)
      expectClose(found[size_t(one)].data(), expected.back().w[size_t(one)],
                  "w of rank " + std::to_string(one));
    instance.reset();
    runtime.reset();
    ASSERT_SUCCESS(group.barrier("the end"));
  });
  EXPECT_EQ(gpu.calls("ncclGetUniqueId"), 1) << "only rank 0 makes the id";
  EXPECT_EQ(gpu.live(), 0);
}

TEST_F(GpuProcessesTest, AFailedIdIsAnErrorOfAll) {
  gpu.fail("ncclGetUniqueId", 1, 2);
  onGroup(2, [&](ProcessGroup &group) {
    llvm::Expected<std::unique_ptr<GpuRuntime>> runtime = create(group);
    const std::string text = message(std::move(runtime));
    group.abort(text);
    EXPECT_TRUE(contains(text, "starting NCCL"));
    EXPECT_EQ(llvm::StringRef(text).starts_with("rank 0 failed: "), group.rank() == 1);
  });
}

TEST_F(GpuProcessesTest, TheLocalRankOrTheOnlyGpuIsTaken) {
  EXPECT_EQ(value(checkGpuOfProcess(gpu.libraries, 8, 1)), 1);
  EXPECT_TRUE(contains(message(checkGpuOfProcess(gpu.libraries, 8, 2)),
                       "local rank 2 has no GPU: this machine has 2"));
  gpu.devices = 1;
  EXPECT_EQ(value(checkGpuOfProcess(gpu.libraries, 8, 5)), 0);
  gpu.ncclVersion = 21800;
  EXPECT_TRUE(contains(message(checkGpuOfProcess(gpu.libraries, 8, 0)), "NCCL 2.18.0 is too old"));
  EXPECT_EQ(value(checkGpuOfProcess(gpu.libraries, 1, 0)), 0);
  gpu.capability = 7;
  EXPECT_TRUE(contains(message(checkGpuOfProcess(gpu.libraries, 8, 0)), "compute capability"));
}
