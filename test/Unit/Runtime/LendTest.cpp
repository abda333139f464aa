//===- LendTest.cpp - Tests of arguments in the caller's memory -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/CpuRuntime.h"

#include <cmath>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t rows = 6, width = 8, results = 5;

class LendTest : public testing::TestWithParam<GemmKernel> {
protected:
  /// c = relu(a · b) of arguments 0, 1 and, in the arena, 0.
  LendTest() {
    GemmCommand gemm;
    gemm.a = argument(0), gemm.b = argument(1), gemm.c = arena(0);
    gemm.m = rows, gemm.n = results, gemm.k = width;
    gemm.aRow = width, gemm.bRow = results, gemm.cRow = results;
    gemm.epilogue = Epilogue::Relu;
    function.name = "infer";
    function.arguments = {{Role::Input, "a", {ElementType::F32, {rows, width}}},
                          {Role::Input, "b", {ElementType::F32, {width, results}}},
                          {Role::Target, "", {ElementType::F32, {rows, width}}}};
    function.commands = {gemm};
    function.arenaBytes = 4096;
    function.results = {{Role::Output, "c", {ElementType::F32, {rows, results}}, arena(0)}};
  }

  void bind() {
    executable.program.batch = rows;
    executable.program.functions = {function};
    CpuRuntimeOptions options;
    options.gemms.forced = GetParam();
    runtime = value(CpuRuntime::create(executable, options));
    instance = value(runtime->bind(executable.program.functions[0]));
    std::memcpy(instance->argument(0), own.data(), own.size() * sizeof(float));
    std::memcpy(instance->argument(1), b.data(), b.size() * sizeof(float));
  }

  /// Runs, and expects the product of `a`.
  void expectProductOf(const std::vector<float> &a) {
    ASSERT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
    const auto *c = reinterpret_cast<const float *>(instance->address(0, instance->function().results[0]));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < results; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < width; ++l)
          sum += double(a[i * width + l]) * b[l * results + j];
        // The sum first: std::max gives it where it is NaN.
        expectNear(c[i * results + j], std::max(sum, 0.0), 1e-5, std::to_string(i) + "," + std::to_string(j));
      }
  }

  bool lend(size_t index, const std::vector<float> &memory) {
    return instance->lend(0, index, reinterpret_cast<const std::byte *>(memory.data()));
  }

  Executable executable;
  Function function;
  std::unique_ptr<CpuRuntime> runtime;
  std::unique_ptr<FunctionInstance> instance;
  std::vector<float> own = randomFloats(rows * width, 1), b = randomFloats(width * results, 2);
};

} // namespace

TEST_P(LendTest, TheFirstFactorIsReadInPlaceUntilItIsTakenBack) {
  bind();
  expectProductOf(own);
  std::vector<float> other = randomFloats(rows * width, 3);
  EXPECT_TRUE(lend(0, other));
  expectProductOf(other);
  other[2 * width + 3] = NAN; // which is looked for where it is read
  expectProductOf(other);
  EXPECT_TRUE(instance->lend(0, 0, nullptr));
  expectProductOf(own);
}

TEST_P(LendTest, WhatIsUsedOtherwiseIsNotLent) {
  bind();
  EXPECT_FALSE(lend(1, b)) << "a second factor";
  EXPECT_FALSE(lend(2, own)) << "not an input: the host reads it";
  expectProductOf(own);
}

TEST_P(LendTest, AnInputThatIsAResultIsNotLent) {
  function.results.push_back({Role::Output, "same", {ElementType::F32, {rows, width}}, argument(0)});
  bind();
  EXPECT_FALSE(lend(0, own));
}

INSTANTIATE_TEST_SUITE_P(Kernels, LendTest, testing::Values(GemmKernel::OneDnn, GemmKernel::OpenBlas),
                         [](const auto &info) { return nameOf(info.param).str(); });
