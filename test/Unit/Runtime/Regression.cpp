//===- Regression.cpp - A model with few commands -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Regression.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

namespace phantom::rt::test {

namespace {

/// x, w, rank, ranks -> partial outputs [B]
void partialOutputs(void *const *arguments) {
  const int64_t rank = integer(arguments, 2), m = N / integer(arguments, 3);
  for (int64_t i = 0; i < B; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < m; ++j)
      sum += floats(arguments, 0)[i * N + rank * m + j] * floats(arguments, 1)[j];
    floats(arguments, 4)[i] = sum;
  }
}

/// outputs, targets, valid -> loss
void meanSquare(void *const *arguments) {
  const int64_t valid = integer(arguments, 2);
  float sum = 0;
  for (int64_t i = 0; i < valid; ++i) {
    const float difference = floats(arguments, 0)[i] - floats(arguments, 1)[i];
    sum += difference * difference;
  }
  *floats(arguments, 3) = sum / float(valid);
}

/// x, outputs, targets, rank, ranks -> gradient, its squared norm
void gradient(void *const *arguments) {
  const int64_t rank = integer(arguments, 3), m = N / integer(arguments, 4);
  double norm = 0;
  for (int64_t j = 0; j < m; ++j) {
    float sum = 0;
    for (int64_t i = 0; i < B; ++i)
      sum += 2.0f / B * (floats(arguments, 1)[i] - floats(arguments, 2)[i]) *
             floats(arguments, 0)[i * N + rank * m + j];
    floats(arguments, 5)[j] = sum;
    norm += double(sum) * sum;
  }
  *floats<double>(arguments, 6) = norm;
}

/// w, gradient, learning rate, ranks
void update(void *const *arguments) {
  const int64_t m = N / integer(arguments, 3);
  for (int64_t j = 0; j < m; ++j)
    floats(arguments, 0)[j] -= *floats(arguments, 2) * floats(arguments, 1)[j];
}

} // namespace

Executable regression(int64_t p) {
  Executable executable;
  Program &program = executable.program;
  program.model = "regression";
  program.strategy = "tensor";
  program.ranks = p;
  program.batch = B;
  program.loss = "mse";
  Parameter weight;
  weight.name = "w";
  weight.layout = Layout::Shard;
  weight.storedShape = {N / p};
  weight.type = {ElementType::F32, {N / p}};
  weight.init.kind = InitKind::Uniform;
  weight.init.fanIn = N;
  program.parameters = {weight};
  program.windows = {{"outputs", p * B * 4}};
  Exchange sum;
  sum.name = "outputs";
  sum.kind = ExchangeKind::AllReduce;
  sum.inner = B;
  sum.destination = arena(0);
  program.exchanges = {sum};
  std::vector<uint8_t> ranks(8);
  std::memcpy(ranks.data(), &p, 8);
  program.constants = {ranks};
  program.kernels = {"partial", "loss", "gradient", "update"};
  executable.kernels = {partialOutputs, meanSquare, gradient, update};
  program.trainCosts = {N, 4.0 * B * double(N / p), 4.0 * B * double(N / p),
                        2.0 * double(p - 1) / double(p) * B * 4};

  const Argument x{Role::Input, "x", {ElementType::F32, {B, N}}},
      t{Role::Target, "t", {ElementType::F32, {B}}}, w{Role::Parameter, "w", weight.type},
      rank{Role::Rank, "", {ElementType::I64, {}}}, rate{Role::LearningRate, "", {ElementType::F32, {}}},
      valid{Role::ValidCount, "", {ElementType::I64, {}}};
  const BufferRef constant{Region::Constant, 0, 0, 0}, lossAt = arena(64), gradientAt = arena(128),
                                                       normAt = arena(192);
  const std::vector<Command> forward = {
      KernelCommand{0, {argument(0), argument(1), argument(2), constant, window(0, B * 4)}, ""},
      ExchangeStartCommand{0}, ExchangeWaitCommand{0}};
  const Result output{Role::Output, "y", {ElementType::F32, {B}}, arena(0)},
      loss{Role::Loss, "", {ElementType::F32, {}}, lossAt},
      grad{Role::Gradient, "w", weight.type, gradientAt},
      norm{Role::SquaredNorm, "", {ElementType::F64, {}}, normAt};

  Function infer{"infer", {x, w, rank}, {output}, forward, 256};
  Function evaluate{"evaluate", {x, w, rank, t, valid}, {loss, output}, forward, 256};
  evaluate.commands.push_back(KernelCommand{1, {arena(0), argument(3), argument(4), lossAt}, "loss"});
  Function gradients = evaluate;
  gradients.name = "gradients";
  gradients.results = {loss, grad};
  gradients.commands.push_back(
      KernelCommand{2, {argument(0), arena(0), argument(3), argument(2), constant, gradientAt, normAt}, ""});
  Function train = gradients;
  train.name = "train_step";
  train.arguments.push_back(rate);
  train.results = {loss, norm};
  train.commands.push_back(KernelCommand{3, {argument(1), gradientAt, argument(5), constant}, ""});
  program.functions = {infer, evaluate, gradients, train};
  return executable;
}

DataFiles RegressionTest::data(int64_t rows, const std::string &prefix) {
  std::vector<float> x = randomFloats(rows * N, 21), t(rows);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < N; ++j)
      t[i] += x[i * N + j] * float(j - 3);
  return {{{"", npy(folder.file(prefix + "x.npy"), {ElementType::F32, {rows, N}}, x.data())}},
          {npy(folder.file(prefix + "t.npy"), {ElementType::F32, {rows}}, t.data())}};
}

TrainOptions RegressionTest::options(const DataFiles &files, int64_t steps) {
  TrainOptions options;
  options.data = files;
  options.steps = steps;
  options.learningRate = 0.1;
  options.progress = false;
  options.energy.kind = EnergyKind::None; // whatever the machine has
  options.logFile = folder.file("log.jsonl");
  return options;
}

std::vector<llvm::json::Object> RegressionTest::log() {
  std::vector<llvm::json::Object> lines;
  auto buffer = llvm::MemoryBuffer::getFile(folder.file("log.jsonl"));
  EXPECT_TRUE(bool(buffer));
  llvm::SmallVector<llvm::StringRef> texts;
  (*buffer)->getBuffer().split(texts, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef text : texts)
    lines.push_back(*value(llvm::json::parse(text)).getAsObject());
  return lines;
}

std::vector<double> RegressionTest::losses() {
  std::vector<double> numbers;
  for (const llvm::json::Object &line : log())
    numbers.push_back(*line.getNumber("loss"));
  return numbers;
}

} // namespace phantom::rt::test
