//===- CorruptedGhostTest.cpp - The loss depends on every ghost -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/Session.h"
#include "phantom/Driver/Compile.h"

#include "gtest/gtest.h"

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t batch = 4, width = 16, ranks = 4, ghosts = 2;

/// Two layers of `width` with tanh between them.
constexpr const char *model = R"(
  phantom.parameter @w0 : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
  phantom.parameter @w1 : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
  func.func @forward(%x: tensor<?x16xf32> {phantom.input = "x"},
      %w0: tensor<16x16xf32> {phantom.parameter = @w0}, %w1: tensor<16x16xf32> {phantom.parameter = @w1})
      -> (tensor<?x16xf32> {phantom.output = "y"}) {
    %0 = phantom.linear %x, %w0 : (tensor<?x16xf32>, tensor<16x16xf32>) -> tensor<?x16xf32>
    %1 = phantom.activation <tanh> %0 : tensor<?x16xf32>
    %2 = phantom.linear %1, %w1 : (tensor<?x16xf32>, tensor<16x16xf32>) -> tensor<?x16xf32>
    return %2 : tensor<?x16xf32>
  })";

/// Adds one to a number in the slot that a rank is about to publish in an exchange.
struct Corruption final : FaultInjector {
  Corruption(int64_t rank, uint32_t exchange, int64_t number)
      : rank(rank), exchange(exchange), number(number) {}
  void beforeStart(int64_t of, const BoundExchange &bound) override {
    if (of == rank && bound.index == exchange)
      reinterpret_cast<float *>(bound.window)[rank * ghosts * batch + number] += 1;
  }
  int64_t rank;
  uint32_t exchange;
  int64_t number;
};

class CorruptedGhostTest : public testing::Test {
protected:
  void SetUp() override {
    std::vector<float> x = randomFloats(batch * width, 1), t = randomFloats(batch * width, 2);
    TensorType type{ElementType::F32, {batch, width}};
    data.inputs = {{"", npy(folder.file("x.npy"), type, x.data())}};
    data.targets = {npy(folder.file("t.npy"), type, t.data())};
    CompileOptions options;
    options.ranks = ranks;
    options.ghostWidth = ghosts;
    options.firstLayer = FirstLayer::Phantom;
    options.lastLayer = LastLayer::Phantom;
    options.init = InitStart::Random;
    options.batchSize = batch;
    options.functions = {"gradients"};
    options.loss = LossKind::Mse;
    compiled = value(compileModel(folder.write("model.mlir", model), options));
  }

  double loss(FaultInjector *faults = nullptr) {
    SessionOptions options;
    options.faults = faults;
    auto session = value(Session::create(compiled.executable, options));
    return value(session->dumpGradients(data, folder.file("gradients.safetensors")));
  }

  TemporaryFolder folder;
  DataFiles data;
  CompiledProgram compiled;
};

TEST_F(CorruptedGhostTest, OneNumberInOneSlotOfTheForwardPassChangesTheLoss) {
  const double clean = loss();
  EXPECT_EQ(loss(), clean);
  // The first two exchanges are the all-gathers of the two layers.
  for (uint32_t exchange : {0, 1})
    for (int64_t rank = 0; rank < ranks; ++rank)
      for (int64_t number : {int64_t(0), ghosts * batch - 1}) {
        Corruption corruption(rank, exchange, number);
        EXPECT_NE(loss(&corruption), clean) << "exchange " << exchange << ", rank " << rank;
      }
}

} // namespace
