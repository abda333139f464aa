//===- TestProgram.cpp - A training step with every kind of command -------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestProgram.h"

#include "TestSupport.h"

#include <cmath>
#include <cstring>

namespace phantom::rt::test {

namespace {

constexpr int64_t rows = 4, columns = 8, size = rows * columns;
constexpr int64_t outAt = 0, sumAt = 256, lossAt = 512, arenaBytes = 1024;

enum Kernel : uint32_t { Add, Parts, Loss, Update };

template <typename T> T *as(void *address) { return static_cast<T *>(address); }

KernelCommand launch(Kernel kernel, std::vector<BufferRef> arguments) {
  KernelCommand command;
  command.kernel = kernel;
  command.arguments = std::move(arguments);
  command.location = "test.mlir:" + std::to_string(kernel);
  command.shape = {1, 32};
  return command;
}

CollectiveCommand exchange(uint32_t index, BufferRef send, BufferRef receive, int64_t count) {
  return {index, StreamKind::Exchange, send, receive, count, ElementType::F32};
}

Function trainStep() {
  Function function;
  function.name = "train_step";
  function.arguments = {{Role::Input, "x", {ElementType::F32, {rows, columns}}},
                        {Role::Parameter, "w", {ElementType::F32, {columns, columns}}},
                        {Role::LearningRate, "", {ElementType::F32, {}}},
                        {Role::Step, "", {ElementType::I64, {}}},
                        {Role::Rank, "", {ElementType::I64, {}}}};
  function.results = {{Role::Output, "out", {ElementType::F32, {rows, columns}}, arena(outAt)},
                      {Role::Loss, "", {ElementType::F32, {}}, arena(lossAt)}};
  function.arenaBytes = arenaBytes;
  function.events = 5;
  GemmCommand gemm;
  gemm.a = argument(0), gemm.b = argument(1), gemm.c = window(0, size * 4);
  gemm.m = rows, gemm.n = gemm.k = columns;
  gemm.aRow = gemm.bRow = gemm.cRow = columns;
  gemm.location = "test.mlir:gemm";
  using S = StreamKind;
  function.commands = {gemm,
                       EventRecordCommand{0, S::Compute},
                       EventWaitCommand{0, S::Exchange},
                       exchange(0, window(0, size * 4), window(0), size),
                       EventRecordCommand{1, S::Exchange},
                       EventWaitCommand{1, S::Compute},
                       launch(Add, {window(0), argument(4), arena(outAt)}),
                       launch(Parts, {arena(outAt), window(1)}),
                       EventRecordCommand{2, S::Compute},
                       EventWaitCommand{2, S::Exchange},
                       exchange(1, window(1), arena(sumAt), columns),
                       launch(Loss, {arena(outAt), argument(4), window(2)}),
                       EventRecordCommand{3, S::Compute},
                       EventWaitCommand{3, S::Exchange},
                       exchange(2, window(2), arena(lossAt), 1),
                       EventRecordCommand{4, S::Exchange},
                       EventWaitCommand{4, S::Compute},
                       launch(Update, {argument(1), argument(2), argument(3), arena(sumAt)})};
  return function;
}

int64_t ranksOf = 1; ///< of the program whose kernels run

} // namespace

Program testProgram(int64_t ranks) {
  ranksOf = ranks;
  Program program;
  program.device = DeviceKind::Gpu;
  program.model = "test";
  program.strategy = "phantom";
  program.ranks = ranks;
  program.batch = rows;
  Parameter w;
  w.name = "w";
  w.type = {ElementType::F32, {columns, columns}};
  w.storedShape = w.type.shape;
  w.layout = rt::Layout::Stacked;
  w.init.kind = InitKind::Uniform;
  w.init.fanIn = 1;
  program.parameters = {w};
  program.windows = {{"gather", ranks * size * 4}, {"scatter", ranks * columns * 4}, {"reduce", 4}};
  auto add = [&](const char *name, ExchangeKind kind, uint32_t window, int64_t inner) {
    Exchange exchange;
    exchange.name = name, exchange.kind = kind, exchange.window = window, exchange.inner = inner;
    exchange.location = std::string("test.mlir:") + name;
    program.exchanges.push_back(exchange);
  };
  add("ghosts", ExchangeKind::AllGather, 0, size);
  add("sums", ExchangeKind::ReduceScatter, 1, columns);
  add("loss", ExchangeKind::AllReduce, 2, 1);
  program.kernels = {"add", "parts", "loss", "update"};
  const KernelArgument scalar{true, false, 4}, integer{true, false, 8};
  auto reads = [](int64_t bytes) { return KernelArgument{true, false, bytes}; };
  auto writes = [](int64_t bytes) { return KernelArgument{false, true, bytes}; };
  program.kernelArguments = {
      {reads(ranks * size * 4), integer, writes(size * 4)},
      {reads(columns * 4), writes(ranks * columns * 4)},
      {scalar, integer, writes(4)},
      {KernelArgument{true, true, columns * columns * 4}, scalar, integer, reads(columns * 4)}};
  program.functions = {trainStep()};
  return program;
}

Program permuteProgram(int64_t ranks, ElementType element) {
  constexpr int64_t block = 6;
  Program program;
  program.model = "permute";
  program.device = DeviceKind::Gpu;
  program.ranks = program.batch = ranks;
  Parameter w;
  w.name = "w";
  w.type = {ElementType::F32, {ranks, block}};
  w.storedShape = w.type.shape;
  w.layout = Layout::Stacked;
  w.init.kind = InitKind::Uniform;
  w.init.fanIn = 1;
  program.parameters = {w};
  program.windows = {{"blocks", w.type.bytes()}};
  Exchange permute;
  permute.name = "blocks", permute.kind = ExchangeKind::AllToAll, permute.element = element;
  permute.inner = block * byteWidth(ElementType::F32) / byteWidth(element);
  program.exchanges = {permute};
  Function &function = program.functions.emplace_back();
  function.name = "infer";
  function.arguments = {{Role::Input, "identity", {ElementType::F32, {ranks, ranks}}},
                        {Role::Parameter, "w", w.type}};
  function.results = {{Role::Output, "out", w.type, arena(0)}};
  function.arenaBytes = w.type.bytes();
  function.events = 2;
  GemmCommand copy;
  copy.a = argument(0), copy.b = argument(1), copy.c = window(0);
  copy.m = copy.k = copy.aRow = ranks;
  copy.n = copy.bRow = copy.cRow = block;
  using S = StreamKind;
  function.commands = {copy,
                       EventRecordCommand{0, S::Compute},
                       EventWaitCommand{0, S::Exchange},
                       CollectiveCommand{0, S::Exchange, window(0), arena(0), permute.inner, element},
                       EventRecordCommand{1, S::Exchange},
                       EventWaitCommand{1, S::Compute}};
  return program;
}

void expectPermuted(Runtime &runtime) {
  const Program &program = runtime.program();
  const int64_t ranks = program.ranks, block = program.parameters[0].type.shape[1];
  auto instance = value(runtime.bind(program.functions[0]));
  std::vector<float> identity(ranks * ranks);
  for (int64_t i = 0; i < ranks; ++i)
    identity[i * ranks + i] = 1;
  std::memcpy(instance->argument(0), identity.data(), identity.size() * sizeof(float));
  for (int64_t run = 0; run < 3; ++run)
    ASSERT_SUCCESS(runtime.team().run([&](int64_t rank) { return instance->run(rank); }));
  ASSERT_SUCCESS(runtime.fetchParameters());
  for (int64_t rank = 0; rank < ranks; ++rank) {
    const std::byte *out = instance->address(rank, *instance->result(Role::Output));
    for (int64_t peer = 0; peer < ranks; ++peer)
      EXPECT_EQ(std::memcmp(out + peer * block * 4, runtime.parameters().address(peer, 0) + rank * block * 4,
                            size_t(block) * 4),
                0)
          << "what rank " << rank << " has of rank " << peer;
  }
}

static void runAdd(void *const *a) {
  for (int64_t i = 0; i < size; ++i) {
    float sum = float(*as<int64_t>(a[1]));
    for (int64_t j = 0; j < ranksOf; ++j)
      sum += as<float>(a[0])[j * size + i];
    as<float>(a[2])[i] = sum;
  }
}

void runTestKernel(uint32_t kernel, void *const *a) {
  switch (kernel) {
  case Add:
    return runAdd(a);
  case Parts:
    for (int64_t i = 0; i < ranksOf * columns; ++i)
      as<float>(a[1])[i] = float(i / columns + 1) * as<float>(a[0])[i % columns];
    return;
  case Loss:
    *as<float>(a[2]) = *as<float>(a[0]) + float(*as<int64_t>(a[1]));
    return;
  case Update:
    for (int64_t i = 0; i < columns * columns; ++i)
      as<float>(a[0])[i] -= *as<float>(a[1]) * float(*as<int64_t>(a[2])) * as<float>(a[3])[i % columns];
    return;
  }
}

void addTestKernels(FakeGpu &gpu) {
  const std::vector<std::pair<const char *, size_t>> kernels = {
      {"add", 3}, {"parts", 2}, {"loss", 3}, {"update", 4}};
  for (uint32_t i = 0; i < kernels.size(); ++i)
    gpu.kernels[kernels[i].first] = {kernels[i].second, [i](void *const *a) { runTestKernel(i, a); }};
}

std::vector<ExpectedStep> expectedSteps(int64_t ranks, int64_t steps, const std::vector<float> &x,
                                        std::vector<std::vector<float>> w) {
  std::vector<ExpectedStep> result;
  for (int64_t step = 1; step <= steps; ++step) {
    ExpectedStep expected;
    std::vector<float> gathered(size);
    for (int64_t i = 0; i < size; ++i)
      for (int64_t rank = 0; rank < ranks; ++rank)
        for (int64_t l = 0; l < columns; ++l)
          gathered[i] += x[i / columns * columns + l] * w[rank][l * columns + i % columns];
    for (int64_t rank = 0; rank < ranks; ++rank) {
      std::vector<float> out = gathered;
      for (float &value : out)
        value += float(rank);
      expected.loss += out[0] + float(rank);
      expected.out.push_back(out);
    }
    for (int64_t rank = 0; rank < ranks; ++rank)
      for (int64_t i = 0; i < columns * columns; ++i)
        for (int64_t peer = 0; peer < ranks; ++peer)
          w[rank][i] -= 0.5f * float(step) * float(rank + 1) * expected.out[peer][i % columns];
    expected.w = w;
    result.push_back(expected);
  }
  return result;
}

void expectClose(const float *found, const std::vector<float> &expected, const std::string &what) {
  float largest = 0;
  for (float value : expected)
    largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found[i], expected[i], 1e-5f * largest) << what << " " << i;
}

} // namespace phantom::rt::test
