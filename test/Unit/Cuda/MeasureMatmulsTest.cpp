//===- MeasureMatmulsTest.cpp - Tests of the measured choice of kernels ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeGpu.h"
#include "TestProgram.h"
#include "TestSupport.h"
#include "phantom-rt/GpuRuntime.h"

#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t side = 4;

/// c += a · b, where a is the input "x", and everything has 4 rows and columns.
GemmCommand gemmOf(BufferRef b, BufferRef c, bool accumulate) {
  GemmCommand gemm;
  gemm.a = argument(0), gemm.b = b, gemm.c = c;
  gemm.m = gemm.n = gemm.k = gemm.aRow = gemm.bRow = gemm.cRow = side;
  gemm.accumulate = accumulate;
  gemm.location = "test.mlir:1";
  return gemm;
}

/// Functions of the parameter w and the commands, whose output is in the arena.
Program programOf(const std::vector<std::vector<GemmCommand>> &functions) {
  const TensorType square{ElementType::F32, {side, side}};
  Program program;
  program.device = DeviceKind::Gpu;
  program.batch = side;
  Parameter w;
  w.name = "w";
  w.type = square;
  w.storedShape = square.shape;
  w.init.kind = InitKind::Uniform;
  w.init.fanIn = 1;
  program.parameters = {w};
  for (const std::vector<GemmCommand> &commands : functions) {
    Function &function = program.functions.emplace_back();
    function.name = program.functions.size() == 1 ? "infer" : "evaluate";
    function.arguments = {{Role::Input, "x", square}, {Role::Parameter, "w", square}};
    function.results = {{Role::Output, "out", square, arena(0)}};
    function.arenaBytes = 256;
    function.commands.assign(commands.begin(), commands.end());
  }
  return program;
}

class MeasureMatmulsTest : public testing::Test {
protected:
  MeasureMatmulsTest() {
    options.measureGemms = true;
    options.onMeasured = [this](const GemmMeasurement &measured) { reports.push_back(measured); };
  }

  std::unique_ptr<GpuRuntime> create(const Program &program) {
    gpu.devices = int(program.ranks);
    return value(GpuRuntime::create(program, image, gpu.libraries, options));
  }

  /// Runs the function once on the input x, and gives the kernels that ran.
  std::vector<uint64_t> run(GpuRuntime &runtime, FunctionInstance &instance) {
    std::memcpy(instance.argument(0), x.data(), x.size() * sizeof(float));
    gpu.gemmKernels.clear();
    EXPECT_SUCCESS(runtime.team().run([&](int64_t rank) { return instance.run(rank); }));
    return gpu.gemmKernels;
  }

  /// The kernel that a product gets whose kernels take these times.
  uint64_t chosen(std::vector<double> times) {
    gpu.gemmTimes = std::move(times);
    const Program program = programOf({{gemmOf(argument(1), arena(0), false)}});
    auto runtime = create(program);
    auto instance = value(runtime->bind(program.functions[0]));
    return run(*runtime, *instance).at(0);
  }

  FakeGpu gpu;
  GpuRuntimeOptions options;
  std::vector<GemmMeasurement> reports;
  const std::vector<char> image = {'\0'};
  const std::vector<float> x = randomFloats(side * side, 1);
};

} // namespace

TEST_F(MeasureMatmulsTest, TheFastestIsChosen) {
  EXPECT_EQ(chosen({3, 2, 1, 4}), 2u);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].gemm, "GEMM 4x4x4 (test.mlir:1)");
  EXPECT_EQ(reports[0].kernels, 4);
  EXPECT_EQ(reports[0].fastest, 2);
  EXPECT_NEAR(reports[0].seconds, 1e-3, 1e-8);
  EXPECT_NEAR(*reports[0].firstSeconds, 3e-3, 1e-8);
  EXPECT_EQ(gpu.live(), 0);
}

TEST_F(MeasureMatmulsTest, TheFirstIsKeptWhereNoneIsClearlyFaster) {
  EXPECT_EQ(chosen({1, 0.99, 1}), 0u);
  EXPECT_EQ(chosen({1, 0.99, 0.9}), 2u);
  EXPECT_EQ(chosen({1}), 0u);
}

TEST_F(MeasureMatmulsTest, SixteenKernelsAreTried) {
  std::vector<double> times(20, 2);
  times[15] = 1, times[16] = 0.5;
  EXPECT_EQ(chosen(times), 15u);
  EXPECT_EQ(reports[0].kernels, 16);
}

TEST_F(MeasureMatmulsTest, WithoutItTheFirstIsTaken) {
  options.measureGemms = false;
  EXPECT_EQ(chosen({3, 2, 1}), 0u);
  EXPECT_TRUE(reports.empty());
}

TEST_F(MeasureMatmulsTest, KernelsThatDoNotRunAreLeftOut) {
  // In turns, each kernel is called twice in a round.
  gpu.fail("cublasLtMatmul", 3, 15);
  EXPECT_EQ(chosen({3, 1, 2}), 2u);
  gpu.fail("cublasLtMatmul", 10, 15);
  EXPECT_EQ(chosen({3, 1, 2}), 2u) << "in a later round";
  gpu.fail("cublasLtMatmul", 1, 15);
  EXPECT_EQ(chosen({1, 3, 2}), 2u);
  EXPECT_FALSE(reports.back().firstSeconds);
  EXPECT_EQ(gpu.live(), 0);
}

TEST_F(MeasureMatmulsTest, AProductThatNoKernelRuns) {
  const Program program = programOf({{gemmOf(argument(1), arena(0), false)}});
  auto runtime = create(program);
  gpu.fail("cublasLtMatmul", 1, 15);
  EXPECT_EQ(message(runtime->bind(program.functions[0])),
            "rank 0 (GPU 0): GEMM 4x4x4 (test.mlir:1): some error");
  runtime.reset();
  EXPECT_EQ(gpu.live(), 0);
}

TEST_F(MeasureMatmulsTest, AProductIsMeasuredOnce) {
  gpu.gemmTimes = {2, 1};
  const GemmCommand plain = gemmOf(argument(1), arena(0), false), sum = gemmOf(argument(1), arena(0), true);
  const Program program = programOf({{plain, plain}, {plain, sum}});
  auto runtime = create(program);
  auto first = value(runtime->bind(program.functions[0]));
  EXPECT_EQ(reports.size(), 1u);
  auto second = value(runtime->bind(program.functions[1]));
  EXPECT_EQ(reports.size(), 2u);
  EXPECT_EQ(run(*runtime, *first), (std::vector<uint64_t>{1, 1}));
  EXPECT_EQ(run(*runtime, *second), (std::vector<uint64_t>{1, 1}));
}

TEST_F(MeasureMatmulsTest, ParametersStayAsTheyAre) {
  // The second product updates w in place.
  const Program program =
      programOf({{gemmOf(argument(1), arena(0), false), gemmOf(argument(0), argument(1), true)}});
  std::vector<std::vector<float>> found;
  for (bool measure : {false, true}) {
    options.measureGemms = measure;
    auto runtime = create(program);
    auto instance = value(runtime->bind(program.functions[0]));
    for (int i = 0; i < 2; ++i)
      (void)run(*runtime, *instance);
    const auto *out = reinterpret_cast<const float *>(instance->address(0, *instance->result(Role::Output)));
    found.emplace_back(out, out + side * side);
  }
  EXPECT_EQ(found[0], found[1]);
  EXPECT_EQ(reports.size(), 2u);
}

TEST_F(MeasureMatmulsTest, AllRanksTakeWhatRankZeroMeasured) {
  addTestKernels(gpu);
  gpu.gemmTimes = {3, 2, 1};
  for (GpuExchange exchange : {GpuExchange::Nccl, GpuExchange::Loopback}) {
    options.exchange = exchange;
    reports.clear();
    const Program program = testProgram(4);
    auto runtime = create(program);
    auto instance = value(runtime->bind(program.functions[0]));
    EXPECT_EQ(reports.size(), 1u);
    gpu.gemmKernels.clear();
    ASSERT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
    EXPECT_EQ(std::count(gpu.gemmKernels.begin(), gpu.gemmKernels.end(), 2u), 4);
  }
}

TEST_F(MeasureMatmulsTest, TheHashTellsChoicesApart) {
  const Program program = programOf({{gemmOf(argument(1), arena(0), false)}});
  auto hashOf = [&](std::vector<double> times) {
    gpu.gemmTimes = std::move(times);
    auto runtime = create(program);
    EXPECT_SUCCESS(runtime->bind(program.functions[0]).takeError());
    return runtime->gemmChoicesHash();
  };
  const uint64_t first = hashOf({1, 2}), second = hashOf({2, 1});
  EXPECT_NE(first, second);
  EXPECT_EQ(hashOf({3, 1}), second);
  options.measureGemms = false;
  EXPECT_EQ(hashOf({2, 1}), first);
}

TEST_F(MeasureMatmulsTest, EveryCallCanFail) {
  const Program program = programOf({{gemmOf(argument(1), argument(1), true)}});
  const std::vector<std::pair<std::string, int>> calls = {{"cudaMalloc", 4},
                                                          {"cudaMalloc", 5},
                                                          {"cublasLtMatmulDescCreate", 1},
                                                          {"cublasLtMatmulAlgoGetHeuristic", 2},
                                                          {"cudaEventCreateWithFlags", 1},
                                                          {"cudaEventCreateWithFlags", 2},
                                                          {"cudaEventRecord", 1},
                                                          {"cudaEventRecord", 2},
                                                          {"cudaEventElapsedTime", 1}};
  for (const auto &[entry, call] : calls) {
    reports.clear();
    auto runtime = create(program);
    gpu.fail(entry, call, 2);
    EXPECT_NE(message(runtime->bind(program.functions[0])), "") << entry << " " << call;
    EXPECT_TRUE(reports.empty()) << entry << " " << call;
    runtime.reset();
    EXPECT_EQ(gpu.live(), 0) << entry << " " << call;
  }
}
