//===- BlasConformance.cpp - cuBLASLt, and that of the double -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Product.h"

#include <cmath>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// What GEMMs rely on: on the double, and on a GPU where there is one.
class BlasConformance : public testing::TestWithParam<Machine>, protected Bench, protected Operands {
protected:
  BlasConformance() : Bench(GetParam()), Operands(static_cast<Bench &>(*this)) {}
  void SetUp() override {
    if (!problem.empty())
      GTEST_SKIP() << problem;
  }
  void TearDown() override { EXPECT_EQ(violations(), ""); }

  /// The activation of the product and a bias, with what its gradient needs in `aux`.
  void runForward(unsigned activation, float *aux, int64_t leading) {
    Product product(bench, m, n, k);
    product.setEpilogue(activation | epilogueAux | epilogueBias);
    ASSERT_EQ(product.set(8, bench.device(stream, biasValues)), 0);
    ASSERT_EQ(product.set(11, aux), 0);
    ASSERT_EQ(product.set<int64_t>(12, leading), 0);
    ASSERT_EQ(product.choose(), 0);
    ASSERT_EQ(product.run(a, b, d, stream), 0);
  }

  /// The epilogue of an activation's gradient, without and with the sums over columns, which are the bias's.
  /// Skips where cuBLASLt has no kernel for it.
  void expectGradients(unsigned epilogue, float *aux, int64_t leading, double (*slopeOf)(double)) {
    std::vector<double> gradient(m * n), biasGradient(m);
    for (size_t i = 0; i < m * n; ++i) {
      gradient[i] = wanted[i] * slopeOf(wanted[i] + biasValues[i % m]);
      biasGradient[i % m] += gradient[i];
    }
    float *sums = bench.device(m);
    for (unsigned extra : {0u, epilogueBiasGradient}) {
      Product product(bench, m, n, k);
      product.setEpilogue(epilogue | extra);
      if (extra) {
        ASSERT_EQ(product.set(8, sums), 0);
      }
      ASSERT_EQ(product.set(11, aux), 0);
      ASSERT_EQ(product.set<int64_t>(12, leading), 0);
      product.workspaceBytes = 1 << 20;
      product.workspace = bench.device(product.workspaceBytes / sizeof(float));
      ASSERT_EQ(product.prefer<uint64_t>(1, product.workspaceBytes), 0);
      const int status = product.choose();
      if (status == notSupported)
        GTEST_SKIP() << "no kernel for epilogue " << (epilogue | extra);
      ASSERT_EQ(status, 0);
      ASSERT_EQ(product.run(a, b, d, stream), 0);
      expectClose(bench.read(stream, d, m * n), gradient);
      if (extra)
        expectClose(bench.read(stream, sums, m), biasGradient);
    }
  }

  using Operands::stream;
  const std::vector<float> biasValues = numbers(m, 3);
  Bench &bench = *this;
};

INSTANTIATE_TEST_SUITE_P(Machines, BlasConformance, testing::Values(Machine::Double, Machine::Gpu),
                         nameOfMachine);

TEST_P(BlasConformance, Transposes) {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      Product product(bench, m, n, k);
      product.setLayouts(ta ? k : m, ta ? m : k, tb ? n : k, tb ? k : n);
      ASSERT_EQ(product.set<int32_t>(3, ta), 0);
      ASSERT_EQ(product.set<int32_t>(4, tb), 0);
      ASSERT_EQ(product.choose(), 0);
      ASSERT_EQ(product.run(a, b, d, stream), 0);
      expectClose(bench.read(stream, d, m * n), multiply(aValues, ta, bValues, tb, m, n, k));
    }
}

TEST_P(BlasConformance, AlphaAndBeta) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.choose(), 0);
  ASSERT_EQ(product.run(a, b, d, stream), 0);
  product.alpha = 0.5f;
  product.beta = 2;
  ASSERT_EQ(product.run(a, b, d, stream), 0);
  product.alpha = product.beta = 99; // read at the call
  for (double &value : wanted)
    value *= 2.5;
  expectClose(bench.read(stream, d, m * n), wanted);
}

TEST_P(BlasConformance, LeadingDimensions) {
  Product product(bench, m, n, k);
  product.d = product.c = product.layout(m, n, m + 3);
  float *wide = bench.device(stream, std::vector<float>((m + 3) * n, 7));
  ASSERT_EQ(product.choose(), 0);
  ASSERT_EQ(product.run(a, b, wide, stream), 0);
  const std::vector<float> got = bench.read(stream, wide, (m + 3) * n);
  for (size_t column = 0; column < n; ++column)
    for (size_t row = 0; row < m + 3; ++row)
      EXPECT_NEAR(got[row + column * (m + 3)], row < m ? wanted[row + column * m] : 7.0, 1e-4);
}

TEST_P(BlasConformance, Doubles) {
  Product product(bench, 1, 1, 2, f64, compute64);
  const double left[2] = {1 + 1e-12, 3}, right[2] = {1, 1};
  double got = 0, alpha = 1, beta = 0;
  float *x = bench.device(4), *y = bench.device(4), *z = bench.device(2);
  ASSERT_EQ(bench->cudaMemcpyAsync(x, left, 16, toDevice, stream), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(y, right, 16, toDevice, stream), 0);
  ASSERT_EQ(product.choose(), 0);
  ASSERT_EQ(bench->cublasLtMatmul(product.handle, product.description, &alpha, x, product.a, y, product.b,
                                  &beta, z, product.c, z, product.d, nullptr, nullptr, 0, stream),
            0);
  ASSERT_EQ(bench->cudaMemcpyAsync(&got, z, 8, toHost, stream), 0);
  EXPECT_EQ(got, 1 + 1e-12 + 3);
}

TEST_P(BlasConformance, BrainFloats) {
  Product product(bench, 1, 1, 2, bf16);
  const uint16_t left[2] = {0x3f80, 0x4000}, right[2] = {0x3f80, 0x3b80}; // 1, 2; 1, 1/256
  uint16_t got = 0;
  float *x = bench.device(1), *y = bench.device(1), *z = bench.device(1);
  ASSERT_EQ(bench->cudaMemcpyAsync(x, left, 4, toDevice, stream), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(y, right, 4, toDevice, stream), 0);
  ASSERT_EQ(product.choose(), 0);
  ASSERT_EQ(product.run(x, y, z, stream), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(&got, z, 2, toHost, stream), 0);
  EXPECT_EQ(got, 0x3f81); // 1 + 1/128
}

TEST_P(BlasConformance, BrainFloatFactors) {
  Product product(bench, 1, 1, 2, bf16);
  product.type = f32;
  product.c = product.d = product.layout(1, 1);
  const uint16_t left[2] = {0x3f80, 0x4000}, right[2] = {0x3f80, 0x3b80}; // 1, 2; 1, 1/256
  float *x = bench.device(1), *y = bench.device(1), *z = bench.device(1);
  ASSERT_EQ(bench->cudaMemcpyAsync(x, left, 4, toDevice, stream), 0);
  ASSERT_EQ(bench->cudaMemcpyAsync(y, right, 4, toDevice, stream), 0);
  const float *bias = bench.device(stream, std::vector<float>{1.0f / 4096});
  product.setEpilogue(epilogueBias);
  ASSERT_EQ(product.set(8, bias), 0);
  ASSERT_EQ(product.choose(), 0);
  ASSERT_EQ(product.run(x, y, z, stream), 0);
  EXPECT_EQ(bench.read(stream, z, 1), (std::vector<float>{1 + 1.0f / 128 + 1.0f / 4096}));
}

TEST_P(BlasConformance, ForwardEpilogues) {
  const float *bias = bench.device(stream, biasValues);
  for (unsigned activation : {epilogueDefault, epilogueRelu, epilogueGelu})
    for (bool hasBias : {false, true}) {
      Product product(bench, m, n, k);
      product.setEpilogue(hasBias && activation == epilogueDefault
                              ? epilogueBias
                              : activation | (hasBias ? epilogueBias : 0));
      if (hasBias) {
        ASSERT_EQ(product.set(8, bias), 0);
      }
      ASSERT_EQ(product.choose(), 0);
      ASSERT_EQ(product.run(a, b, d, stream), 0);
      std::vector<double> expected = wanted;
      for (size_t i = 0; i < m * n; ++i) {
        const double x = wanted[i] + (hasBias ? biasValues[i % m] : 0);
        expected[i] = activation == epilogueRelu   ? std::max(x, 0.0)
                      : activation == epilogueGelu ? geluOf(x)
                                                   : x;
      }
      expectClose(bench.read(stream, d, m * n), expected);
    }
}

TEST_P(BlasConformance, ReluAndItsGradient) {
  float *mask = bench.device(128 / 32 * n);
  ASSERT_NO_FATAL_FAILURE(runForward(epilogueRelu, mask, 128));
  const std::vector<float> values = bench.read(stream, d, m * n), words = bench.read(stream, mask, 4 * n);
  for (size_t column = 0; column < n; ++column)
    for (size_t row = 0; row < m; ++row) {
      const auto *bytes = reinterpret_cast<const unsigned char *>(words.data()) + 16 * column;
      EXPECT_EQ((bytes[row / 8] >> (row % 8)) & 1, values[row + column * m] > 0);
    }
  expectGradients(epilogueReluGradient, mask, 128, [](double x) { return x > 0 ? 1.0 : 0.0; });
}

TEST_P(BlasConformance, GeluAndItsGradient) {
  float *aux = bench.device(16 * n);
  ASSERT_NO_FATAL_FAILURE(runForward(epilogueGelu, aux, 16));
  const std::vector<float> operand = bench.read(stream, aux, 16 * n);
  for (size_t i = 0; i < m * n; ++i)
    EXPECT_NEAR(operand[i % m + i / m * 16], wanted[i] + biasValues[i % m], 1e-5);
  expectGradients(epilogueGeluGradient, aux, 16, geluSlopeOf);
}

} // namespace
