//===- GpuTargetTest.cpp - Kernels for GPUs: their twins and their code -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuRunner.h"
#include "Runner.h"
#include "TestModels.h"

#include "phantom-rt/VerifyProgram.h"
#include "phantom/Conversion/GpuChips.h"
#include "phantom/InitAll.h"
#include "phantom/Pipelines/Pipelines.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include "gtest/gtest.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;
using phantom::test::GpuRunner;
using phantom::test::Runner;

namespace {

std::vector<double> numbers(int64_t count, uint64_t seed) {
  const std::vector<float> floats = randomFloats(count, seed);
  return {floats.begin(), floats.end()};
}

/// The largest difference is at most 1e-5 of the largest value.
void expectClose(const std::vector<double> &actual, const std::vector<double> &expected,
                 const std::string &what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  double largest = 0;
  for (double value : expected)
    largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], 1e-5 * std::max(largest, 1e-30)) << what << ", at " << i;
}

/// The IR of a model's train step.
std::string trainStep(Strategy strategy, LossKind loss) {
  static constexpr const char *model = R"(
    !in = tensor<?x24xf32>
    !batch = tensor<?x16xf32>
    phantom.parameter @w0 : tensor<16x24xf32> init <uniform, fan_in = 24> trainable
    phantom.parameter @b0 : tensor<16xf32> init <uniform, fan_in = 24> trainable
    phantom.parameter @w1 : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
    phantom.parameter @b1 : tensor<16xf32> init <uniform, fan_in = 16> trainable
    phantom.parameter @w2 : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
    phantom.parameter @w3 : tensor<12x16xf32> init <uniform, fan_in = 16> trainable
    func.func @forward(%x: !in {phantom.input = "x"}, %w0: tensor<16x24xf32> {phantom.parameter = @w0},
        %b0: tensor<16xf32> {phantom.parameter = @b0}, %w1: tensor<16x16xf32> {phantom.parameter = @w1},
        %b1: tensor<16xf32> {phantom.parameter = @b1}, %w2: tensor<16x16xf32> {phantom.parameter = @w2},
        %w3: tensor<12x16xf32> {phantom.parameter = @w3}) -> (tensor<?x12xf32> {phantom.output = "y"}) {
      %0 = phantom.linear %x, %w0 bias %b0 : (!in, tensor<16x24xf32>, tensor<16xf32>) -> !batch
      %1 = phantom.activation <relu> %0 : !batch
      %2 = phantom.linear %1, %w1 bias %b1 : (!batch, tensor<16x16xf32>, tensor<16xf32>) -> !batch
      %3 = phantom.activation <gelu_tanh> %2 : !batch
      %4 = phantom.linear %3, %w2 : (!batch, tensor<16x16xf32>) -> !batch
      %5 = phantom.activation <tanh> %4 : !batch
      %6 = phantom.linear %5, %w3 : (!batch, tensor<12x16xf32>) -> tensor<?x12xf32>
      return %6 : tensor<?x12xf32>
    })";
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(model, &context);
  TrainPipelineOptions options;
  options.strategy = strategy;
  options.ranks = 4;
  options.ghostWidth = 2;
  options.init = InitStart::Random;
  options.batchSize = 6;
  options.loss = loss;
  options.optimizer = OptimizerKind::Adam;
  mlir::PassManager passes(&context);
  buildTrainPipeline(passes, options);
  if (!module || failed(passes.run(*module)))
    return "";
  std::string text;
  llvm::raw_string_ostream(text) << *module;
  return text;
}

/// Two steps give the CPU's losses and parameters, on every rank.
void compareTraining(Strategy strategy, LossKind loss, const std::vector<double> &targets) {
  const std::string ir = trainStep(strategy, loss);
  Runner cpu(ir, "", "train_step");
  GpuRunner gpu(ir, "train_step");
  for (int step = 1; step <= 2; ++step) {
    auto prepare = [&](auto &runner) {
      runner.set("x", numbers(6 * 24, step));
      runner.set("target", targets);
      runner.set("learning_rate", {0.01});
      runner.set("step", {double(step)});
      runner.run();
    };
    prepare(cpu);
    prepare(gpu);
    for (int64_t rank = 0; rank < 4; ++rank) {
      expectClose(gpu.get("loss", rank), cpu.get("loss", rank), "loss");
      for (const Parameter &parameter : cpu.program().parameters)
        expectClose(gpu.parameter(parameter.name, rank), cpu.parameter(parameter.name, rank), parameter.name);
    }
  }
}

TEST(GpuTwins, TrainAsTheCpuDoes) {
  for (Strategy strategy : {Strategy::Phantom, Strategy::Tensor, Strategy::Megatron}) {
    compareTraining(strategy, LossKind::Mse, numbers(6 * 12, 9));
    compareTraining(strategy, LossKind::CrossEntropy, {0, 3, 11, 7, 3, 5});
  }
}

/// Sums by blocks and by threads, products of several kinds, and rows added at places that occur twice.
TEST(GpuTwins, KernelsComputeWhatTheCpuDoes) {
  const std::string ir = R"(
    func.func @forward(%x: tensor<4x700xf32> {phantom.input = "x"}, %t: tensor<9x8xf32> {phantom.input = "t"},
        %i: tensor<5xi64> {phantom.input = "i"})
        -> (tensor<4xf32> {phantom.output = "sums"}, tensor<700xf32> {phantom.output = "columns"},
            tensor<4x700xf32> {phantom.output = "softmax"}, tensor<f64> {phantom.squared_norm = "own"},
            tensor<5x8xf32> {phantom.output = "rows"}, tensor<9x8xf32> {phantom.output = "scattered"},
            tensor<700x4xf32> {phantom.output = "turned"}) {
      %sums = phantom.reduce_sum %x [1] : tensor<4x700xf32> -> tensor<4xf32>
      %columns = phantom.reduce_sum %x [0] : tensor<4x700xf32> -> tensor<700xf32>
      %softmax = phantom.softmax %x dim 1 : tensor<4x700xf32>
      %norm = phantom.squared_norm %x : (tensor<4x700xf32>) -> tensor<f64>
      %rows = phantom.gather %t, %i dim 0 : (tensor<9x8xf32>, tensor<5xi64>) -> tensor<5x8xf32>
      %scattered = phantom.gather_gradient %rows, %i dim 0 : (tensor<5x8xf32>, tensor<5xi64>) -> tensor<9x8xf32>
      %turned = phantom.transpose %x [1, 0] : tensor<4x700xf32> -> tensor<700x4xf32>
      return %sums, %columns, %softmax, %norm, %rows, %scattered, %turned
          : tensor<4xf32>, tensor<700xf32>, tensor<4x700xf32>, tensor<f64>, tensor<5x8xf32>, tensor<9x8xf32>, tensor<700x4xf32>
    })";
  Runner cpu(ir);
  GpuRunner gpu(ir, "infer");
  auto run = [](auto &runner) {
    runner.set("x", numbers(2800, 1));
    runner.set("t", numbers(72, 2));
    runner.set("i", {3, 0, 3, 8, 1});
    runner.run();
  };
  run(cpu);
  run(gpu);
  EXPECT_GE(gpu.barrierLaunches(), 2); // the sums and the norm
  for (const Result &result : cpu.program().functions[0].results)
    expectClose(gpu.get(result.name), cpu.get(result.name), result.name);
}

CompileOptions exampleOptions(Strategy strategy) {
  CompileOptions options;
  options.strategy = strategy;
  options.ranks = 4;
  options.ghostWidth = strategy == Strategy::Phantom ? 4 : 0;
  options.functions = {"forward", "train_step"};
  options.loss = LossKind::Mse;
  return options;
}

/// Every kernel of the example models, on every chip.
TEST(GpuCode, KernelsOfExamplesNeedNoSpills) {
  if (llvm::Error missing = mlir::phantom::findCudaToolkit({}))
    GTEST_SKIP() << llvm::toString(std::move(missing));
  for (const char *model : {"digits/digits.onnx", "teacher/teacher.onnx"})
    for (Strategy strategy : {Strategy::Phantom, Strategy::Tensor, Strategy::Megatron}) {
      const std::string path = std::string(PHANTOM_EXAMPLES_DIR) + "/" + model;
      CompileOptions options = exampleOptions(strategy);
      if (path.find("digits") != std::string::npos) {
        options.loss = LossKind::CrossEntropy;
        options.optimizer = OptimizerKind::AdamW; // calls libdevice
      }
      const CompiledGpuProgram compiled = value(compileModelForGpu(path, options));
      EXPECT_SUCCESS(verifyProgram(compiled.program));
      ASSERT_FALSE(compiled.image.empty());
      EXPECT_EQ(compiled.resources.size(), 4 * compiled.program.kernels.size()) << path;
      std::set<std::string> chips;
      for (const KernelResources &kernel : compiled.resources) {
        chips.insert(kernel.chip);
        EXPECT_EQ(kernel.spillBytes, 0) << path << ": " << kernel.kernel << " on " << kernel.chip;
        EXPECT_EQ(kernel.stackBytes, 0) << path << ": " << kernel.kernel << " on " << kernel.chip;
        EXPECT_GT(kernel.registers, 0) << path << ": " << kernel.kernel << " on " << kernel.chip;
      }
      EXPECT_EQ(chips, (std::set<std::string>{"sm_80", "sm_90", "sm_100", "sm_120"}));
    }
}

TEST(GpuCode, ChipsAreThoseThatGpusRun) {
  auto nameOf = [](int major, int minor) {
    const mlir::phantom::GpuChip *chip = mlir::phantom::findGpuChip(major, minor);
    return chip ? chip->name.str() : "";
  };
  EXPECT_EQ(nameOf(8, 0), "sm_80");
  EXPECT_EQ(nameOf(8, 9), "sm_80");
  EXPECT_EQ(nameOf(9, 0), "sm_90");
  EXPECT_EQ(nameOf(10, 3), "sm_100");
  EXPECT_EQ(nameOf(12, 0), "sm_120");
  EXPECT_EQ(nameOf(7, 5), "");
  EXPECT_EQ(nameOf(11, 0), "");
}

TEST(GpuCode, PtxNeedsNoToolkit) {
  CompileOptions options = exampleOptions(Strategy::Tensor);
  options.gpu.image = mlir::phantom::GpuImage::Ptx;
  options.gpu.toolkit = "/nonexistent";
  options.chips = {"sm_90"};
  const std::string path = std::string(PHANTOM_EXAMPLES_DIR) + "/teacher/teacher.onnx";
  const CompiledGpuProgram compiled = value(compileModelForGpu(path, options));
  const std::string ptx = compiled.image.data();
  EXPECT_EQ(ptx.size() + 1, compiled.image.size());
  EXPECT_TRUE(contains(ptx, ".target sm_90"));
  for (const std::string &kernel : compiled.program.kernels)
    EXPECT_TRUE(contains(ptx, ".visible .entry " + kernel + "("));
}

TEST(GpuCode, ErrorsSayWhatIsMissing) {
  CompileOptions options = exampleOptions(Strategy::Tensor);
  const std::string path = std::string(PHANTOM_EXAMPLES_DIR) + "/teacher/teacher.onnx";
  options.gpu.toolkit = "/nonexistent";
  EXPECT_TRUE(contains(message(compileModelForGpu(path, options)),
                       "the CUDA toolkit in '/nonexistent' has no bin/ptxas"));
  options.gpu.image = mlir::phantom::GpuImage::Ptx;
  options.optimizer = OptimizerKind::Adam;
  EXPECT_TRUE(contains(message(compileModelForGpu(path, options)), "of the CUDA toolkit's libdevice: "));
  options.chips = {"sm_90", "sm_13"};
  EXPECT_TRUE(contains(message(compileModelForGpu(path, options)),
                       "cannot compile kernels for 'sm_13'; the chips are sm_80, sm_90, sm_100, sm_120"));
}

} // namespace
