//===- Product.h - A product of cuBLASLt, for tests -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_SIM_PRODUCT_H
#define PHANTOM_TEST_SIM_PRODUCT_H

#include "Bench.h"

namespace phantom::rt::test {

enum : int { f32 = 0, f64 = 1, bf16 = 14, compute32 = 68, compute64 = 70 };
enum : int { notSupported = 15, invalidValue = 7 };
constexpr unsigned epilogueDefault = 1, epilogueRelu = 2, epilogueBias = 4, epilogueReluGradient = 8 | 128,
                   epilogueBiasGradient = 16, epilogueGelu = 32, epilogueGeluGradient = 64 | 128,
                   epilogueAux = 128;

/// Numbers of few bits, so that sums of their products are exact.
std::vector<float> numbers(size_t count, int seed);

double geluOf(double x);
double geluSlopeOf(double x);

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
                             size_t m, size_t n, size_t k);

/// Within 1e-5 of the largest.
void expectClose(const std::vector<float> &got, const std::vector<double> &wanted);

/// Operands of a product in a GPU's memory, and what it is.
struct Operands {
  explicit Operands(Bench &bench);

  static constexpr size_t m = 13, n = 6, k = 5;
  gpu::Stream stream;
  std::vector<float> aValues, bValues;
  std::vector<double> wanted;
  float *a, *b, *d;
};

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_SIM_PRODUCT_H
