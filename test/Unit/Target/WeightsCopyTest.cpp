//===- WeightsCopyTest.cpp - Copies of weights follow the parameters -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Runtime/TestSupport.h"
#include "TestModels.h"
#include "phantom-rt/Session.h"

#include <gtest/gtest.h>

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t batch = 4, width = 16;

template <typename T> llvm::ArrayRef<std::byte> bytesOf(const std::vector<T> &values) {
  return {reinterpret_cast<const std::byte *>(values.data()), values.size() * sizeof(T)};
}

/// Outputs before training, after a step, and after the first values were loaded again.
std::vector<std::vector<float>> outputs(const CompiledProgram &compiled, GemmKernel kernel) {
  SessionOptions options;
  options.gemms.forced = kernel;
  auto session = value(Session::create(compiled.executable, options));
  const std::vector<float> x = randomFloats(batch * width, 1), t = randomFloats(batch * width, 2);
  std::vector<std::vector<float>> results;
  auto infer = [&] {
    std::vector<float> &y = results.emplace_back(x.size());
    llvm::MutableArrayRef<std::byte> bytes(reinterpret_cast<std::byte *>(y.data()), y.size() * sizeof(float));
    EXPECT_SUCCESS(session->infer(HostData{{{"", bytesOf(x)}}, {}, batch}, HostOutput{"", bytes}));
  };
  TemporaryFolder folder;
  EXPECT_SUCCESS(session->saveParameters(folder.file("first.safetensors")));
  infer();
  value(session->trainStep(HostData{{{"", bytesOf(x)}}, bytesOf(t), batch}, /*learningRate=*/0.5));
  infer();
  EXPECT_SUCCESS(session->runtime().parameters().load(folder.file("first.safetensors")));
  infer();
  return results;
}

} // namespace

TEST(WeightsCopy, FollowsTrainingAndLoading) {
  const CompiledProgram compiled = compileMlp(Strategy::Phantom);
  const auto expected = outputs(compiled, GemmKernel::OneDnn);
  EXPECT_NE(expected[0], expected[1]);
  EXPECT_EQ(expected[0], expected[2]);
  for (GemmKernel kernel : {GemmKernel::OneDnnPacked, GemmKernel::OpenBlasTransposed}) {
    const auto actual = outputs(compiled, kernel);
    for (size_t pass = 0; pass < expected.size(); ++pass)
      for (size_t i = 0; i < expected[pass].size(); ++i)
        EXPECT_NEAR(actual[pass][i], expected[pass][i], 1e-5) << nameOf(kernel).str() << ", pass " << pass;
  }
}
