//===- TestModels.cpp - Models that several tests compile -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

namespace phantom::rt::test {

static constexpr const char *mlp = R"(
  !batch = tensor<?x16xf32>
  !weight = tensor<16x16xf32>
  phantom.parameter @w0 : !weight init <uniform, fan_in = 16> trainable
  phantom.parameter @w1 : !weight init <uniform, fan_in = 16> trainable
  phantom.parameter @w2 : !weight init <uniform, fan_in = 16> trainable
  func.func @forward(%x: !batch {phantom.input = "x"}, %w0: !weight {phantom.parameter = @w0},
      %w1: !weight {phantom.parameter = @w1}, %w2: !weight {phantom.parameter = @w2})
      -> (!batch {phantom.output = "y"}) {
    %0 = phantom.linear %x, %w0 : (!batch, !weight) -> !batch
    %1 = phantom.activation <tanh> %0 : !batch
    %2 = phantom.linear %1, %w1 : (!batch, !weight) -> !batch
    %3 = phantom.activation <tanh> %2 : !batch
    %4 = phantom.linear %3, %w2 : (!batch, !weight) -> !batch
    return %4 : !batch
  })";

CompiledProgram compileMlp(Strategy strategy) {
  CompileOptions options;
  options.strategy = strategy;
  options.ranks = 2;
  options.ghostWidth = 2;
  options.init = InitStart::Random;
  options.batchSize = 4;
  options.functions = {"forward", "evaluate", "gradients", "train_step"};
  options.loss = LossKind::Mse;
  options.optimizer = OptimizerKind::Adam;
  TemporaryFolder folder;
  return value(compileModel(folder.write("model.mlir", mlp), options));
}

} // namespace phantom::rt::test
