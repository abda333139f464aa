//===- GpuGemmTest.cpp - Tests of GEMM commands on GPUs -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeGpu.h"
#include "TestSupport.h"
#include "phantom-rt/GpuRuntime.h"

#include <bit>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// A program of one GEMM, whose operands are arguments of "infer"; c is its output. bf16 is given as its
/// bits.
Program gemmProgram(GemmCommand gemm, int64_t paddedColumns) {
  Program program;
  program.device = DeviceKind::Gpu;
  program.batch = 1;
  gemm.a = argument(0), gemm.b = argument(1), gemm.c = argument(2);
  gemm.location = "gemm.mlir:1";
  Function function;
  function.name = "infer";
  const std::vector<int64_t> sizes = {gemm.m * gemm.k, gemm.k * gemm.n, gemm.m * paddedColumns, gemm.n, 64};
  for (size_t i = 0; i < sizes.size(); ++i)
    function.arguments.push_back({Role::Input, std::to_string(i), {ElementType::F32, {sizes[i]}}});
  if (gemm.factors == ElementType::BF16)
    for (int i : {0, 1})
      function.arguments[i].type.element = ElementType::U16;
  function.results = {{Role::Output, "c", {ElementType::F32, {sizes[2]}}, argument(2)}};
  function.commands = {gemm};
  program.functions = {function};
  return program;
}

GemmCommand gemmOf(int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB, int64_t padding) {
  GemmCommand gemm;
  gemm.m = m, gemm.n = n, gemm.k = k;
  gemm.aRow = transposeA ? 1 : k, gemm.aCol = transposeA ? m : 1;
  gemm.bRow = transposeB ? 1 : n, gemm.bCol = transposeB ? k : 1;
  gemm.cRow = n + padding;
  return gemm;
}

/// Cuts floats to bf16, and writes its bits.
void giveNarrow(std::vector<float> &values, std::byte *to) {
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t bits = uint16_t(std::bit_cast<uint32_t>(values[i]) >> 16);
    std::memcpy(to + 2 * i, &bits, sizeof(bits));
    values[i] = std::bit_cast<float>(uint32_t(bits) << 16);
  }
}

class GpuGemmTest : public testing::Test {
protected:
  void check(const GemmCommand &gemm) {
    const int64_t row = gemm.cRow;
    const Program program = gemmProgram(gemm, row);
    const char image = 0;
    auto runtime = value(GpuRuntime::create(program, image, gpu.libraries, {}));
    auto instance = value(runtime->bind(program.functions[0]));
    std::vector<std::vector<float>> data;
    for (size_t i = 0; i < 4; ++i) {
      data.push_back(randomFloats(program.functions[0].arguments[i].type.elements(), i + 1));
      if (i < 2 && gemm.factors == ElementType::BF16)
        giveNarrow(data[i], instance->argument(i));
      else
        std::memcpy(instance->argument(i), data[i].data(), data[i].size() * sizeof(float));
    }
    ASSERT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
    const Result &result = *instance->result(Role::Output);
    const auto *c = reinterpret_cast<const float *>(instance->address(0, result));
    for (int64_t i = 0; i < gemm.m; ++i)
      for (int64_t j = 0; j < row; ++j) {
        if (j >= gemm.n) {
          EXPECT_EQ(c[i * row + j], data[2][i * row + j]) << "beyond the row";
          continue;
        }
        double sum = (gemm.bias ? data[3][j] : 0) + (gemm.accumulate ? data[2][i * row + j] : 0);
        for (int64_t l = 0; l < gemm.k; ++l)
          sum += double(data[0][i * gemm.aRow + l * gemm.aCol]) * data[1][l * gemm.bRow + j * gemm.bCol];
        EXPECT_NEAR(c[i * row + j], gemm.epilogue == Epilogue::Relu ? std::max(sum, 0.0) : sum, 1e-5)
            << i << "," << j;
      }
  }

  /// The number that cuBLASLt gets.
  int epilogueOfRun(const GemmCommand &gemm) {
    const Program program = gemmProgram(gemm, gemm.cRow);
    const char image = 0;
    auto runtime = value(GpuRuntime::create(program, image, gpu.libraries, {}));
    auto instance = value(runtime->bind(program.functions[0]));
    EXPECT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
    return gpu.epilogues.back();
  }

  std::string errorOf(const GemmCommand &gemm) {
    const Program program = gemmProgram(gemm, gemm.cRow);
    const char image = 0;
    auto runtime = value(GpuRuntime::create(program, image, gpu.libraries, {}));
    return message(runtime->bind(program.functions[0]));
  }

  FakeGpu gpu;
};

} // namespace

TEST_F(GpuGemmTest, AllTransposesShapesAndAccumulation) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      for (bool accumulate : {false, true})
        for (bool bias : {false, true})
          for (auto [m, n, k] : {std::tuple(7, 5, 3), std::tuple(1, 6, 4), std::tuple(6, 1, 4),
                                 std::tuple(5, 4, 1), std::tuple(1, 1, 1)})
            for (int64_t padding : {0, 3}) {
              GemmCommand gemm = gemmOf(m, n, k, transposeA, transposeB, padding);
              gemm.accumulate = accumulate;
              if (bias)
                gemm.bias = argument(3);
              check(gemm);
            }
}

TEST_F(GpuGemmTest, NarrowFactors) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      for (bool accumulate : {false, true})
        for (int64_t padding : {0, 3}) {
          GemmCommand gemm = gemmOf(7, 5, 3, transposeA, transposeB, padding);
          gemm.factors = ElementType::BF16;
          gemm.accumulate = accumulate;
          gemm.bias = argument(3);
          check(gemm);
        }
}

TEST_F(GpuGemmTest, Relu) {
  for (bool bias : {false, true}) {
    GemmCommand gemm = gemmOf(6, 5, 4, false, true, 0);
    gemm.epilogue = Epilogue::Relu;
    if (bias)
      gemm.bias = argument(3);
    check(gemm);
  }
}

TEST_F(GpuGemmTest, EpiloguesHaveCublasNumbers) {
  // CUBLASLT_EPILOGUE_GELU and so on, of cublasLt.h.
  const std::vector<std::tuple<Epilogue, int, int>> numbers = {{Epilogue::None, 1, 4},
                                                               {Epilogue::Relu, 2, 6},
                                                               {Epilogue::GeluTanh, 32, 36},
                                                               {Epilogue::ReluAux, 130, 134},
                                                               {Epilogue::GeluTanhAux, 160, 164}};
  for (auto [epilogue, plain, withBias] : numbers)
    for (bool bias : {false, true}) {
      GemmCommand gemm = gemmOf(4, 4, 4, false, false, 0);
      gemm.epilogue = epilogue;
      if (epilogue == Epilogue::ReluAux || epilogue == Epilogue::GeluTanhAux)
        gemm.aux = argument(4), gemm.auxRow = epilogue == Epilogue::ReluAux ? 128 : 8;
      if (bias)
        gemm.bias = argument(3);
      EXPECT_EQ(epilogueOfRun(gemm), bias ? withBias : plain);
    }
  for (auto [epilogue, plain, withGradient] :
       {std::tuple(Epilogue::ReluGradient, 136, 152), std::tuple(Epilogue::GeluTanhGradient, 192, 208)})
    for (bool gradient : {false, true}) {
      GemmCommand gemm = gemmOf(4, 4, 4, false, false, 0);
      gemm.epilogue = epilogue;
      gemm.aux = argument(4), gemm.auxRow = epilogue == Epilogue::ReluGradient ? 128 : 8;
      if (gradient)
        gemm.biasGradient = argument(3);
      EXPECT_EQ(epilogueOfRun(gemm), gradient ? withGradient : plain);
    }
}

TEST_F(GpuGemmTest, ABiasOfAGradientIsAnError) {
  GemmCommand gemm = gemmOf(4, 4, 4, false, false, 0);
  gemm.epilogue = Epilogue::ReluGradient;
  gemm.aux = argument(4), gemm.auxRow = 128;
  gemm.bias = argument(3);
  EXPECT_EQ(errorOf(gemm), "rank 0 (GPU 0): the GEMM at gemm.mlir:1 has a bias that cuBLASLt cannot handle");
}

TEST_F(GpuGemmTest, AProductThatCublasDoesNotHave) {
  gpu.fail("cublasLtMatmulAlgoGetHeuristic", 1, 15);
  const std::string text = errorOf(gemmOf(4, 5, 6, false, false, 0));
  EXPECT_TRUE(contains(text, "GEMM 4x5x6 (gemm.mlir:1): cuBLASLt has no kernel for this product"));
}
