//===- BlasTest.cpp - What the double's cuBLASLt refuses ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Product.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

class SimBlas : public testing::Test, protected Bench, protected Operands {
protected:
  SimBlas() : Operands(static_cast<Bench &>(*this)) {}

  using Operands::stream;
  Bench &bench = *this;
};

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

TEST_F(SimBlas, BiasWithoutEpilogue) {
  Product product(bench, m, n, k);
  ASSERT_EQ(product.set(8, bench.device(m)), 0);
  ASSERT_EQ(product.choose(), 0);
  EXPECT_EQ(product.run(a, b, d, stream), invalidValue);
  expectViolation(bench, "the epilogue has no bias, and there is a pointer to one");
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
