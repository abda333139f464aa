//===- BlasTest.cpp - cuBLASLt of the double ------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <cmath>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

enum : int { f32 = 0, f64 = 1, bf16 = 14, compute32 = 68, compute64 = 70 };
enum : int { notSupported = 15, invalidValue = 7 };
constexpr unsigned epilogueDefault = 1, epilogueRelu = 2, epilogueBias = 4, epilogueReluGradient = 8 | 128,
                   epilogueBiasGradient = 16, epilogueGelu = 32, epilogueGeluGradient = 64 | 128,
                   epilogueAux = 128;

std::vector<float> numbers(size_t count, int seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = float(int((i * 37 + size_t(seed) * 101) % 199) - 99) / 64;
  return values;
}

double geluOf(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

double geluSlopeOf(double x) { return (geluOf(x + 1e-5) - geluOf(x - 1e-5)) / 2e-5; }

/// d [m, n] = a [m, k] * b [k, n], column-major, with everything that a call needs.
struct Product {
  Product(const Bench &bench, uint64_t m, uint64_t n, uint64_t k, int type = f32, int compute = compute32)
      : bench(bench), m(m), n(n), k(k), type(type) {
    EXPECT_EQ(bench->cublasLtCreate(&handle), 0);
    EXPECT_EQ(bench->cublasLtMatmulDescCreate(&description, compute, type == f64 ? f64 : f32), 0);
    EXPECT_EQ(bench->cublasLtMatmulPreferenceCreate(&preference), 0);
    setLayouts(m, k, k, n);
  }

  gpu::MatrixLayout layout(uint64_t rows, uint64_t columns, int64_t leading = 0) {
    gpu::MatrixLayout made = nullptr;
    EXPECT_EQ(
        bench->cublasLtMatrixLayoutCreate(&made, type, rows, columns, leading ? leading : int64_t(rows)), 0);
    return made;
  }
  void setLayouts(uint64_t aRows, uint64_t aColumns, uint64_t bRows, uint64_t bColumns) {
    a = layout(aRows, aColumns);
    b = layout(bRows, bColumns);
    c = layout(m, n);
    d = layout(m, n);
  }
  template <typename T> int set(int attribute, T value) {
    return bench->cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof(value));
  }
  template <typename T> int prefer(int attribute, T value) {
    return bench->cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value));
  }
  void setEpilogue(unsigned epilogue) { EXPECT_EQ(set<uint32_t>(7, epilogue), 0); }

  int choose() {
    int returned = 0;
    const int status = bench->cublasLtMatmulAlgoGetHeuristic(handle, description, a, b, c, d, preference, 1,
                                                             &chosen, &returned);
    EXPECT_EQ(returned, status == 0 ? 1 : 0);
    return status;
  }
  int run(const float *aMemory, const float *bMemory, float *dMemory, gpu::Stream stream) {
    return bench->cublasLtMatmul(handle, description, &alpha, aMemory, a, bMemory, b, &beta, dMemory, c,
                                 dMemory, d, &chosen.algorithm, workspace, workspaceBytes, stream);
  }

  const Bench &bench;
  uint64_t m, n, k;
  int type;
  gpu::BlasHandle handle = nullptr;
  gpu::MatmulDesc description = nullptr;
  gpu::MatmulPreference preference = nullptr;
  gpu::MatrixLayout a = nullptr, b = nullptr, c = nullptr, d = nullptr;
  gpu::MatmulHeuristic chosen = {};
  float alpha = 1, beta = 0;
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
};

/// The same product by the definition: op(a) is m x k and op(b) k x n, column-major.
std::vector<double> multiply(const std::vector<float> &a, bool ta, const std::vector<float> &b, bool tb,
                             size_t m, size_t n, size_t k) {
  std::vector<double> d(m * n);
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < n; ++j)
      for (size_t l = 0; l < k; ++l)
        d[i + j * m] += double(ta ? a[l + i * k] : a[i + l * m]) * double(tb ? b[j + l * n] : b[l + j * k]);
  return d;
}

void expectClose(const std::vector<float> &got, const std::vector<double> &wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  double most = 0;
  for (double value : wanted)
    most = std::max(most, std::abs(value));
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], wanted[i], 1e-5 * most) << i;
}

class SimBlas : public ::testing::Test {
protected:
  Bench bench;
  gpu::Stream stream = bench.stream();
  static constexpr size_t m = 13, n = 6, k = 5;
  std::vector<float> aValues = numbers(m * k, 1), bValues = numbers(k * n, 2);
  std::vector<double> wanted = multiply(aValues, false, bValues, false, m, n, k);
  float *a = bench.device(stream, aValues), *b = bench.device(stream, bValues), *d = bench.device(m * n);
};

TEST_F(SimBlas, Transposes) {
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
  EXPECT_EQ(bench.violations(), "");
  EXPECT_EQ(bench.sim->counts().gemms, 4);
}

TEST_F(SimBlas, AlphaAndBeta) {
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
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, LeadingDimensions) {
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

TEST_F(SimBlas, Doubles) {
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

TEST_F(SimBlas, BrainFloats) {
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

TEST_F(SimBlas, BrainFloatFactors) {
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
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, ForwardEpilogues) {
  const std::vector<float> biasValues = numbers(m, 3);
  const float *bias = bench.device(stream, biasValues);
  for (unsigned activation : {epilogueDefault, epilogueRelu, epilogueGelu})
    for (bool hasBias : {false, true}) {
      Product product(bench, m, n, k);
      product.setEpilogue(hasBias && activation == epilogueDefault
                              ? epilogueBias
                              : activation | (hasBias ? epilogueBias : 0));
      ASSERT_EQ(product.set(8, bias), 0);
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
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, ReluAndItsGradient) {
  const std::vector<float> biasValues = numbers(m, 3);
  const float *bias = bench.device(stream, biasValues);
  float *mask = bench.device(128 / 32 * n), *sums = bench.device(m);
  Product forward(bench, m, n, k);
  forward.setEpilogue(epilogueRelu | epilogueAux | epilogueBias);
  ASSERT_EQ(forward.set(8, bias), 0);
  ASSERT_EQ(forward.set(11, mask), 0);
  ASSERT_EQ(forward.set<int64_t>(12, 128), 0);
  ASSERT_EQ(forward.choose(), 0);
  ASSERT_EQ(forward.run(a, b, d, stream), 0);
  const std::vector<float> values = bench.read(stream, d, m * n), words = bench.read(stream, mask, 4 * n);
  for (size_t column = 0; column < n; ++column)
    for (size_t row = 0; row < m; ++row) {
      const auto *bytes = reinterpret_cast<const unsigned char *>(words.data()) + 16 * column;
      EXPECT_EQ((bytes[row / 8] >> (row % 8)) & 1, values[row + column * m] > 0);
    }

  Product backward(bench, m, n, k);
  backward.setEpilogue(epilogueReluGradient | epilogueBiasGradient);
  ASSERT_EQ(backward.set(8, sums), 0);
  ASSERT_EQ(backward.set(11, mask), 0);
  ASSERT_EQ(backward.set<int64_t>(12, 128), 0);
  ASSERT_EQ(backward.choose(), 0);
  ASSERT_EQ(backward.run(a, b, d, stream), 0);
  std::vector<double> gradient(m * n), biasGradient(m);
  for (size_t i = 0; i < m * n; ++i) {
    gradient[i] = wanted[i] + biasValues[i % m] > 0 ? wanted[i] : 0;
    biasGradient[i % m] += gradient[i];
  }
  expectClose(bench.read(stream, d, m * n), gradient);
  expectClose(bench.read(stream, sums, m), biasGradient);

  backward.setEpilogue(epilogueReluGradient);
  ASSERT_EQ(backward.choose(), 0);
  ASSERT_EQ(backward.run(a, b, d, stream), 0);
  expectClose(bench.read(stream, d, m * n), gradient);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, GeluAndItsGradient) {
  const std::vector<float> biasValues = numbers(m, 3);
  const float *bias = bench.device(stream, biasValues);
  float *aux = bench.device(16 * n), *sums = bench.device(m);
  Product forward(bench, m, n, k);
  forward.setEpilogue(epilogueGelu | epilogueAux | epilogueBias);
  ASSERT_EQ(forward.set(8, bias), 0);
  ASSERT_EQ(forward.set(11, aux), 0);
  ASSERT_EQ(forward.set<int64_t>(12, 16), 0);
  ASSERT_EQ(forward.choose(), 0);
  ASSERT_EQ(forward.run(a, b, d, stream), 0);
  const std::vector<float> operand = bench.read(stream, aux, 16 * n);
  for (size_t i = 0; i < m * n; ++i)
    EXPECT_NEAR(operand[i % m + i / m * 16], wanted[i] + biasValues[i % m], 1e-5);

  Product backward(bench, m, n, k);
  std::vector<double> gradient(m * n), biasGradient(m);
  for (size_t i = 0; i < m * n; ++i) {
    gradient[i] = wanted[i] * geluSlopeOf(wanted[i] + biasValues[i % m]);
    biasGradient[i % m] += gradient[i];
  }
  ASSERT_EQ(backward.set(8, sums), 0);
  ASSERT_EQ(backward.set(11, aux), 0);
  ASSERT_EQ(backward.set<int64_t>(12, 16), 0);
  for (unsigned extra : {0u, epilogueBiasGradient}) {
    backward.setEpilogue(epilogueGeluGradient | extra);
    ASSERT_EQ(backward.choose(), 0);
    ASSERT_EQ(backward.run(a, b, d, stream), 0);
    expectClose(bench.read(stream, d, m * n), gradient);
  }
  expectClose(bench.read(stream, sums, m), biasGradient);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, Unsupported) {
  Product product(bench, m, n, k, f64);
  EXPECT_EQ(product.choose(), notSupported);
  Product doubles(bench, m, n, k, f64, compute64);
  doubles.setEpilogue(epilogueRelu);
  EXPECT_EQ(doubles.choose(), notSupported);
  Product integers(bench, m, n, k, /*CUDA_R_8I=*/3);
  EXPECT_EQ(integers.choose(), notSupported);
  EXPECT_EQ(bench.violations(), "");
}

TEST_F(SimBlas, UnknownAttributes) {
  {
    Product product(bench, m, n, k);
    EXPECT_EQ(product.set<int32_t>(99, 0), invalidValue);
    expectViolation(bench, "cublasLtMatmulDescSetAttribute: the double does not know attribute 99");
  }
}

TEST_F(SimBlas, EpiloguesThatDoNotExist) {
  Product product(bench, m, n, k);
  EXPECT_EQ(product.set<uint32_t>(7, epilogueRelu | epilogueGelu), invalidValue);
  expectViolation(bench, "the double does not know epilogue 34");
}

TEST_F(SimBlas, AttributesOfAnotherSize) {
  Product product(bench, m, n, k);
  EXPECT_EQ(product.set<int32_t>(12, 128), invalidValue);
  expectViolation(bench, "attribute 12 has another size than 4 bytes");
}

TEST_F(SimBlas, ShapesThatDoNotFit) {
  Product product(bench, m, n, k);
  product.b = product.layout(k + 1, n);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(bench, "gemm 6x13x5: matrix b is 6x6, and must be 5x6");
}

TEST_F(SimBlas, LeadingDimensionThatIsTooSmall) {
  Product product(bench, m, n, k);
  product.a = product.layout(m, k, m - 1);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(bench, "the leading dimension 12 of matrix a is less than its 13 rows");
}

TEST_F(SimBlas, LeadingDimensionOfABitMask) {
  Product product(bench, m, n, k);
  product.setEpilogue(epilogueRelu | epilogueAux);
  ASSERT_EQ(product.set<int64_t>(12, 64), 0);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(
      bench, "the leading dimension 64 of the auxiliary matrix must be a multiple of 128, and at least 13");
}

TEST_F(SimBlas, LeadingDimensionOfAnAuxiliaryMatrix) {
  Product product(bench, m, n, k);
  product.setEpilogue(epilogueGelu | epilogueAux);
  ASSERT_EQ(product.set<int64_t>(12, 13), 0);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(
      bench, "the leading dimension 13 of the auxiliary matrix must be a multiple of 8, and at least 13");
}

TEST_F(SimBlas, MissingBias) {
  Product product(bench, m, n, k);
  product.setEpilogue(epilogueBias);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the epilogue needs a bias, and its pointer is null");
}

TEST_F(SimBlas, MissingAuxiliaryMatrix) {
  Product product(bench, m, n, k);
  product.setEpilogue(epilogueGeluGradient);
  ASSERT_EQ(product.set<int64_t>(12, 16), 0);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the epilogue needs an auxiliary matrix, and its pointer is null");
}

TEST_F(SimBlas, AddressesThatAreNotAligned) {
  Product product(bench, 4, n, k);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a + 1, b, d, stream), invalidValue);
  expectViolation(bench,
                  "the address of matrix a is no multiple of 16: say so in the preference of the algorithm");
  ASSERT_EQ(product.prefer<uint32_t>(5, 4), 0);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a + 1, b, d, stream), 0);
}

TEST_F(SimBlas, AuxiliaryAddressThatIsNotAligned) {
  Product product(bench, m, n, k);
  product.setEpilogue(epilogueGelu | epilogueAux);
  ASSERT_EQ(product.set(11, bench.device(17 * n) + 1), 0);
  ASSERT_EQ(product.set<int64_t>(12, 16), 0);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the address of the auxiliary matrix is no multiple of 16");
}

TEST_F(SimBlas, AlgorithmOfAnotherProduct) {
  Product product(bench, m, n, k), other(bench, m, n, k - 1);
  ASSERT_EQ(other.choose(), 0);
  product.chosen = other.chosen;
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the algorithm is of another product than this one");
}

TEST_F(SimBlas, OutputThatOverlaps) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(d, b, d, stream), invalidValue);
  expectViolation(bench, "what it writes overlaps with another of its arguments");
}

TEST_F(SimBlas, MemoryThatIsTooSmall) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_NE(product.run(a, b, bench.device(m * n - 1), stream), 0);
  expectViolation(
      bench, "gemm 6x13x5 writes bytes 0 to 311 of allocation 4 (308 bytes on device 0): behind its end");
}

TEST_F(SimBlas, WorkspaceThatIsTooSmall) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.prefer<uint64_t>(1, 1024), 0);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.chosen.workspaceBytes, 1024u);
  product.workspace = bench.device(128);
  product.workspaceBytes = 512;
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the algorithm needs a workspace of 1024 bytes, and has 512");
}

TEST_F(SimBlas, WorkspaceThatTwoStreamsShare) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.prefer<uint64_t>(1, 1024), 0);
  ASSERT_EQ(product.choose(), 0);
  product.workspace = bench.device(256);
  product.workspaceBytes = 1024;
  gpu::Stream other = bench.stream();
  bench.synchronize(stream);
  ASSERT_EQ(product.run(a, b, d, stream), 0);
  ASSERT_EQ(product.run(a, b, bench.device(m * n), other), 0);
  bench.synchronize(stream);
  bench.synchronize(other);
  expectViolation(
      bench, "writes bytes 0 to 1023 of allocation 4 (1024 bytes on device 0); nothing orders it with gemm");
}

TEST_F(SimBlas, ColumnsOfOneMatrixAreApart) {
  // Two products write interleaved rows of the same allocation.
  float *both = bench.device(2 * m * n);
  Product product(bench, m, n, k);
  product.c = product.d = product.layout(m, n, 2 * m);
  for (int alignment : {5, 6, 7, 8})
    ASSERT_EQ(product.prefer<uint32_t>(alignment, 4), 0);
  ASSERT_EQ(product.choose(), 0);
  gpu::Stream other = bench.stream();
  bench.synchronize(stream);
  ASSERT_EQ(product.run(a, b, both, stream), 0);
  ASSERT_EQ(product.run(a, b, both + m, other), 0);
  bench.synchronize(stream);
  bench.synchronize(other);
  EXPECT_EQ(bench.violations(), "");
  ASSERT_EQ(product.run(a, b, both + m - 1, other), 0);
  bench.synchronize(other);
  EXPECT_EQ(bench.violations(), "") << "the host has waited for both";
  ASSERT_EQ(product.run(a, b, both, stream), 0);
  ASSERT_EQ(product.run(a, b, both + m - 1, other), 0);
  bench.synchronize(stream);
  bench.synchronize(other);
  expectViolation(bench, "(6 rows of 52)");
}

TEST_F(SimBlas, TypesOfBiasAndAuxiliaryMatrix) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.set<int32_t>(26, f32), 0);
  ASSERT_EQ(product.set<int32_t>(22, f32), 0);
  EXPECT_EQ(product.choose(), 0);
  ASSERT_EQ(product.set<int32_t>(26, bf16), 0);
  EXPECT_EQ(product.choose(), notSupported);
}

TEST_F(SimBlas, OperationsThatDoNotExist) {
  Product product(bench, m, n, k);
  EXPECT_EQ(product.set<int32_t>(3, 2), invalidValue);
  expectViolation(bench, "operation 2 is not CUBLAS_OP_N or _T");
}

TEST_F(SimBlas, WorkspaceThatIsNotAligned) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.prefer<uint64_t>(1, 16), 0);
  ASSERT_EQ(product.choose(), 0);
  product.workspace = bench.device(8) + 1;
  product.workspaceBytes = 16;
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the address of the workspace is no multiple of 16");
}

TEST_F(SimBlas, DestroyedObjects) {
  Product product(bench, m, n, k);
  ASSERT_EQ(bench->cublasLtMatrixLayoutDestroy(product.b), 0);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(bench,
                  "cublasLtMatmulAlgoGetHeuristic: the layout of b does not exist: it may be destroyed");
}

TEST_F(SimBlas, Leaks) {
  Product product(bench, m, n, k);
  EXPECT_NE(message(bench.sim->checkLeaks())
                .find("1 cuBLASLt handle, 1 cuBLASLt description, 4 cuBLASLt layouts, 1 cuBLASLt preference"),
            std::string::npos);
  ASSERT_EQ(bench->cublasLtDestroy(product.handle), 0);
  ASSERT_EQ(bench->cublasLtMatmulDescDestroy(product.description), 0);
  ASSERT_EQ(bench->cublasLtMatmulPreferenceDestroy(product.preference), 0);
  EXPECT_EQ(message(bench.sim->checkLeaks()).find("handle"), std::string::npos);
}

TEST(SimBlasDevices, HandleOfAnotherDevice) {
  GpuSimOptions options;
  options.devices = 2;
  Bench bench(options);
  Product product(bench, 2, 2, 2);
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(bench, "the handle is of device 0, but device 1 is current");
}

TEST_F(SimBlas, NoHandle) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.choose(), 0);
  product.handle = nullptr;
  EXPECT_EQ(product.choose(), invalidValue);
  expectViolation(bench, "cublasLtMatmulAlgoGetHeuristic: the handle is null");
}

} // namespace
