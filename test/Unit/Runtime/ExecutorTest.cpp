//===- ExecutorTest.cpp - Tests of command lists on the CPU ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/CpuRuntime.h"
#include "phantom-rt/VerifyProgram.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

//===----------------------------------------------------------------------===//
// GEMMs
//===----------------------------------------------------------------------===//

namespace {

double apply(Epilogue epilogue, double x, double alpha) {
  switch (epilogue) {
  case Epilogue::None:
    return x;
  case Epilogue::Relu:
    return std::max(x, 0.0);
  case Epilogue::LeakyRelu:
    return x > 0 ? x : alpha * x;
  case Epilogue::Elu:
    return x > 0 ? x : alpha * std::expm1(x);
  case Epilogue::Sigmoid:
    return 1 / (1 + std::exp(-x));
  case Epilogue::Tanh:
    return std::tanh(x);
  case Epilogue::GeluErf:
    return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  case Epilogue::GeluTanh:
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case Epilogue::Silu:
    return x / (1 + std::exp(-x));
  case Epilogue::ReluAux:
  case Epilogue::GeluTanhAux:
  case Epilogue::ReluGradient:
  case Epilogue::GeluTanhGradient:
    break; // of GPU programs
  }
  return 0;
}

GemmCommand gemmOf(int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB, int64_t padding = 0) {
  GemmCommand gemm;
  gemm.m = m, gemm.n = n, gemm.k = k;
  gemm.aRow = transposeA ? 1 : k, gemm.aCol = transposeA ? m : 1;
  gemm.bRow = transposeB ? 1 : n, gemm.bCol = transposeB ? k : 1;
  gemm.cRow = n + padding;
  gemm.a = argument(0), gemm.b = argument(1), gemm.c = argument(2);
  return gemm;
}

/// Where NaN is put: into row 2 of the first factor, and into an element of what the product is added to.
enum class Nans { None, Some };

/// Runs one GEMM whose operands are the function's arguments, and compares it with loops.
void checkGemm(GemmKernel kernel, int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB,
               bool bias, bool accumulate, Epilogue epilogue, double alpha = 0, int64_t padding = 0,
               Nans nans = Nans::None) {
  GemmCommand gemm = gemmOf(m, n, k, transposeA, transposeB, padding);
  if (bias)
    gemm.bias = argument(3);
  gemm.accumulate = accumulate;
  gemm.epilogue = epilogue;
  gemm.alpha = alpha;

  Executable executable;
  executable.program.batch = 1;
  Function function;
  function.name = "infer";
  for (int64_t size : {m * k, k * n, m * (n + padding), n})
    function.arguments.push_back({Role::Input, "", {ElementType::F32, {size}}});
  function.arguments[1].role = Role::Parameter;
  function.arguments[1].name = "b";
  function.commands = {gemm};
  executable.program.functions = {function};
  Parameter weights;
  weights.name = "b";
  weights.type = {ElementType::F32, {k * n}};
  weights.storedShape = weights.type.shape;
  executable.program.parameters = {weights};
  CpuRuntimeOptions options;
  options.gemms.forced = kernel;
  auto runtime = value(CpuRuntime::create(executable, options));
  auto instance = value(runtime->bind(executable.program.functions[0]));
  std::vector<std::vector<float>> data;
  for (size_t i = 0; i < 4; ++i) {
    data.push_back(randomFloats(function.arguments[i].type.elements(), i + 1));
    if (nans == Nans::Some && i == 0)
      data[0][2 * gemm.aRow + k / 2 * gemm.aCol] = NAN;
    if (nans == Nans::Some && i == 2)
      data[2][4 * gemm.cRow + n / 2] = NAN;
    if (i != 1)
      std::memcpy(instance->argument(i), data[i].data(), data[i].size() * sizeof(float));
  }
  auto run = [&] { return runtime->team().run([&](int64_t rank) { return instance->run(rank); }); };
  // With other weights first: a copy of them must not stay.
  ASSERT_SUCCESS(run());
  std::memcpy(instance->argument(2), data[2].data(), data[2].size() * sizeof(float));
  runtime->parameters().set(0, reinterpret_cast<const std::byte *>(data[1].data()));
  ASSERT_SUCCESS(run());

  const auto *c = reinterpret_cast<const float *>(instance->argument(2));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n + padding; ++j) {
      const int64_t at = i * (n + padding) + j;
      if (j >= n) {
        EXPECT_EQ(c[at], data[2][at]) << "beyond the row";
        continue;
      }
      double sum = (bias ? data[3][j] : 0) + (accumulate ? data[2][at] : 0);
      for (int64_t l = 0; l < k; ++l)
        sum += double(data[0][i * gemm.aRow + l * gemm.aCol]) * data[1][l * gemm.bRow + j * gemm.bCol];
      expectNear(c[at], apply(epilogue, sum, alpha), 2e-5, std::to_string(i) + "," + std::to_string(j));
    }
}

} // namespace

class GemmTest : public testing::TestWithParam<GemmKernel> {};

TEST_P(GemmTest, AllTransposesShapesAndAccumulation) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      for (bool accumulate : {false, true})
        for (bool bias : {false, true}) {
          auto check = [&](int64_t m, int64_t n, int64_t k, int64_t padding = 0) {
            checkGemm(GetParam(), m, n, k, transposeA, transposeB, bias, accumulate, Epilogue::None, 0,
                      padding);
          };
          check(7, 5, 3);
          check(64, 16, 32);
          check(1, 9, 1);
          check(8, 1, 4, 3);
        }
}

TEST_P(GemmTest, Epilogues) {
  for (Epilogue epilogue : {Epilogue::Relu, Epilogue::LeakyRelu, Epilogue::Elu, Epilogue::Sigmoid,
                            Epilogue::Tanh, Epilogue::GeluErf, Epilogue::GeluTanh, Epilogue::Silu})
    for (bool accumulate : {false, true})
      for (bool bias : {false, true})
        checkGemm(GetParam(), 33, 20, 12, false, true, bias, accumulate, epilogue, 0.3);
}

TEST_P(GemmTest, EpiloguesKeepNan) {
  for (Epilogue epilogue :
       {Epilogue::None, Epilogue::Relu, Epilogue::LeakyRelu, Epilogue::Elu, Epilogue::Sigmoid, Epilogue::Tanh,
        Epilogue::GeluErf, Epilogue::GeluTanh, Epilogue::Silu})
    for (bool accumulate : {false, true})
      for (bool transposeA : {false, true})
        checkGemm(GetParam(), 33, 20, 37, transposeA, true, true, accumulate, epilogue, 0.3, 0, Nans::Some);
}

/// As above, with factors of bf16 whose rows are `gap` elements longer than the matrix. The arguments hold
/// their bits.
static void checkNarrowGemm(GemmKernel kernel, int64_t m, int64_t n, int64_t k, bool transposeA,
                            bool transposeB, bool accumulate, Epilogue epilogue, int64_t gap,
                            Nans nans = Nans::None) {
  GemmCommand gemm = gemmOf(m, n, k, transposeA, transposeB);
  gemm.factors = ElementType::BF16;
  (transposeA ? gemm.aCol : gemm.aRow) += gap;
  (transposeB ? gemm.bCol : gemm.bRow) += gap;
  gemm.bias = argument(3);
  gemm.accumulate = accumulate;
  gemm.epilogue = epilogue;

  Executable executable;
  executable.program.batch = 1;
  Function function;
  function.name = "infer";
  const int64_t aSize = (transposeA ? k * (m + gap) : m * (k + gap));
  const int64_t bSize = (transposeB ? n * (k + gap) : k * (n + gap));
  function.arguments = {{Role::Input, "", {ElementType::U16, {aSize}}},
                        {Role::Input, "", {ElementType::U16, {bSize}}},
                        {Role::Input, "", {ElementType::F32, {m * n}}},
                        {Role::Input, "", {ElementType::F32, {n}}}};
  function.commands = {gemm};
  executable.program.functions = {function};
  CpuRuntimeOptions options;
  options.gemms.forced = kernel;
  auto runtime = value(CpuRuntime::create(executable, options));
  auto instance = value(runtime->bind(executable.program.functions[0]));
  std::vector<std::vector<float>> data;
  for (uint32_t i = 0; i < 4; ++i) {
    std::vector<float> &values =
        data.emplace_back(randomFloats(function.arguments[i].type.elements(), i + 1));
    if (nans == Nans::Some && i == 0)
      values[2 * gemm.aRow + k / 2 * gemm.aCol] = NAN;
    if (i >= 2) {
      std::memcpy(instance->argument(i), values.data(), values.size() * sizeof(float));
      continue;
    }
    for (size_t at = 0; at < values.size(); ++at) {
      const uint16_t bits = uint16_t(std::bit_cast<uint32_t>(values[at]) >> 16);
      std::memcpy(instance->argument(i) + 2 * at, &bits, sizeof(bits));
      values[at] = std::bit_cast<float>(uint32_t(bits) << 16);
    }
  }
  ASSERT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
  const auto *c = reinterpret_cast<const float *>(instance->argument(2));
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = data[3][j] + (accumulate ? data[2][i * n + j] : 0);
      for (int64_t l = 0; l < k; ++l)
        sum += double(data[0][i * gemm.aRow + l * gemm.aCol]) * data[1][l * gemm.bRow + j * gemm.bCol];
      expectNear(c[i * n + j], apply(epilogue, sum, 0), 1e-5, std::to_string(i) + "," + std::to_string(j));
    }
}

TEST_P(GemmTest, NarrowFactors) {
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      for (bool accumulate : {false, true})
        for (int64_t gap : {0, 3}) {
          checkNarrowGemm(GetParam(), 7, 5, 3, transposeA, transposeB, accumulate, Epilogue::None, gap);
          checkNarrowGemm(GetParam(), 64, 16, 32, transposeA, transposeB, accumulate, Epilogue::GeluTanh,
                          gap);
          checkNarrowGemm(GetParam(), 1, 9, 1, transposeA, transposeB, accumulate, Epilogue::None, gap);
          checkNarrowGemm(GetParam(), 7, 5, 3, transposeA, transposeB, accumulate, Epilogue::Relu, gap,
                          Nans::Some);
        }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest, testing::ValuesIn(gemmKernels), [](const auto &info) {
  std::string name = nameOf(info.param).str();
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
});

TEST(GemmChoices, NamesAndShapesAreReadAsWritten) {
  for (GemmKernel kernel : gemmKernels)
    EXPECT_EQ(parseGemmKernel(nameOf(kernel)), kernel);
  EXPECT_FALSE(parseGemmKernel("mkl"));
  for (bool transposeA : {false, true})
    for (bool transposeB : {false, true})
      for (bool finishes : {false, true})
        for (bool constantB : {false, true}) {
          const GemmShape shape{64, 1024, 16, transposeA, transposeB, finishes, constantB};
          EXPECT_EQ(parseGemmShape(textOf(shape)), shape);
        }
  EXPECT_EQ(textOf({64, 1024, 16, false, true, true, true}), "64x1024x16 nt finish constant");
  for (const char *text : {"", "64x1024 nt", "64x1024x16", "64x1024x16 nx", "0x1x1 nn", "1x1x1 nn finishes"})
    EXPECT_FALSE(parseGemmShape(text)) << text;
}

TEST(GemmChoices, MeasuredBeforeTableAndOnlyWhatCanCompute) {
  GemmCommand gemm;
  gemm.m = 64, gemm.n = 512, gemm.k = 512;
  gemm.aRow = 512, gemm.bRow = 512, gemm.cRow = 512;
  GemmChoices choices;
  EXPECT_EQ(choices.choose(gemm, false, 1), tabledKernel(shapeOf(gemm)));
  choices.measured[shapeOf(gemm)] = GemmKernel::OpenBlas;
  EXPECT_EQ(choices.choose(gemm, false, 1), GemmKernel::OpenBlas);
  EXPECT_EQ(choices.choose(gemm, false, 2), GemmKernel::OneDnn) << "OpenBLAS has no threads of a rank's own";
  choices.measured[shapeOf(gemm, true)] = GemmKernel::OneDnnPacked;
  EXPECT_EQ(choices.choose(gemm, true, 1), GemmKernel::OneDnnPacked);
  choices.forced = GemmKernel::OneDnnPacked;
  EXPECT_EQ(choices.choose(gemm, false, 1), GemmKernel::OneDnn) << "no copy of what changes";
  choices.forced = GemmKernel::OneDnnSgemm;
  EXPECT_EQ(choices.choose(gemm, false, 2), GemmKernel::OneDnnSgemm);
  gemm.cRow = 600;
  gemm.epilogue = Epilogue::Relu;
  EXPECT_EQ(choices.choose(gemm, false, 1), GemmKernel::OneDnn) << "no second pass over rows with gaps";
}

TEST(GemmChoices, NarrowFactorsTakeTheChoiceOfWideOnes) {
  GemmCommand wide = gemmOf(64, 512, 512, false, true), narrow = wide;
  narrow.factors = ElementType::BF16;
  EXPECT_EQ(shapeOf(narrow), shapeOf(wide));
  for (GemmKernel kernel : gemmKernels) {
    EXPECT_EQ(canCompute(kernel, narrow, false, 1), canCompute(kernel, wide, false, 1));
    EXPECT_EQ(canCompute(kernel, narrow, true, 1), !copiesWeights(kernel)) << nameOf(kernel).str();
  }
  Function function;
  function.name = "infer";
  function.arguments = {{}, {Role::Parameter, "b", {ElementType::F32, {512, 512}}}};
  EXPECT_TRUE(hasConstantB(function, wide));
  EXPECT_FALSE(hasConstantB(function, narrow));
}

//===----------------------------------------------------------------------===//
// A phantom layer, by hand
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t batch = 6, width = 16, ghosts = 2;

/// Copies this rank's columns. Arguments: x [batch, width], rank, shard, ranks.
void takeShard(void *const *arguments) {
  const auto *x = static_cast<const float *>(arguments[0]);
  const int64_t rank = *static_cast<const int64_t *>(arguments[1]);
  const int64_t m = width / *static_cast<const int64_t *>(arguments[3]);
  for (int64_t i = 0; i < batch; ++i)
    std::memcpy(static_cast<float *>(arguments[2]) + i * m, x + i * width + rank * m, m * sizeof(float));
}

/// Writes this rank's columns of the whole tensor. Arguments: shard, whole (from the own columns), ranks.
void putShard(void *const *arguments) {
  const int64_t m = width / *static_cast<const int64_t *>(arguments[2]);
  for (int64_t i = 0; i < batch; ++i)
    std::memcpy(static_cast<float *>(arguments[1]) + i * width, static_cast<float *>(arguments[0]) + i * m,
                m * sizeof(float));
}

Parameter randomParameter(const std::string &name, std::vector<int64_t> stored, std::vector<int64_t> shape,
                          bool decompressor = false) {
  Parameter parameter;
  parameter.name = name;
  parameter.layout = Layout::Stacked;
  parameter.storedShape = stored;
  parameter.type = {ElementType::F32, shape};
  parameter.init.kind = InitKind::Uniform;
  parameter.init.fanIn = 2;
  parameter.init.zeroOwnBlock = decompressor;
  return parameter;
}

/// tanh of a phantom layer with the exchanges in flight during the local GEMM; the output is gathered.
Executable phantomLayer(int64_t p) {
  const int64_t m = width / p, slot = ghosts * batch * 4;
  Executable executable;
  Program &program = executable.program;
  program.ranks = p;
  program.batch = batch;
  program.parameters = {randomParameter("L", {m, m}, {m, m}), randomParameter("C", {ghosts, m}, {ghosts, m}),
                        randomParameter("D", {p, ghosts, m}, {p * ghosts, m}, true),
                        randomParameter("b", {m}, {m})};
  program.windows = {{"ghosts", p * slot}, {"output", batch * width * 4}};
  Exchange gather;
  gather.name = "ghosts";
  gather.window = 0;
  gather.inner = ghosts * batch;
  Exchange output;
  output.name = "output";
  output.window = 1;
  output.outer = batch;
  output.inner = m;
  program.exchanges = {gather, output};
  std::vector<uint8_t> ranks(8);
  std::memcpy(ranks.data(), &p, 8);
  program.constants = {ranks};
  program.kernels = {"take", "put"};
  executable.kernels = {takeShard, putShard};

  Function f;
  f.name = "infer";
  f.arguments = {{Role::Input, "x", {ElementType::F32, {batch, width}}},
                 {Role::Rank, "", {ElementType::I64, {}}}};
  for (const Parameter &parameter : program.parameters)
    f.arguments.push_back({Role::Parameter, parameter.name, parameter.type});
  const BufferRef y = arena(0), z = arena(4096), constant{Region::Constant, 0, 0, 0};
  f.arenaBytes = 8192;
  GemmCommand compress, local, decompress;
  compress.m = ghosts, compress.n = batch, compress.k = m;
  compress.a = argument(3), compress.aRow = m;
  compress.b = y, compress.bRow = 1, compress.bCol = m;
  compress.c = window(0, slot), compress.cRow = batch;
  local.m = batch, local.n = m, local.k = m;
  local.a = y, local.aRow = m;
  local.b = argument(2), local.bRow = 1, local.bCol = m;
  local.c = z, local.cRow = m;
  local.bias = argument(5);
  decompress.m = batch, decompress.n = m, decompress.k = p * ghosts;
  decompress.a = window(0), decompress.aRow = 1, decompress.aCol = batch;
  decompress.b = argument(4), decompress.bRow = m;
  decompress.c = z, decompress.cRow = m;
  decompress.accumulate = true;
  decompress.epilogue = Epilogue::Tanh;
  f.commands = {KernelCommand{0, {argument(0), argument(1), y, constant}, "take"},
                compress,
                ExchangeStartCommand{0},
                local,
                ExchangeWaitCommand{0},
                decompress,
                KernelCommand{1, {z, window(1, m * 4), constant}, "put"},
                ExchangeStartCommand{1},
                ExchangeWaitCommand{1}};
  f.results = {{Role::Output, "y", {ElementType::F32, {batch, width}}, window(1)}};
  program.functions = {f};
  return executable;
}

struct LayerRun {
  std::vector<float> x, y;
  HostTensor l, c, d, b;
  std::vector<CommCounters> counters;
};

LayerRun runLayer(int64_t p, FaultInjector *faults = nullptr, int64_t times = 1) {
  Executable executable = phantomLayer(p);
  CpuRuntimeOptions options;
  options.team.faults = faults;
  auto runtime = value(CpuRuntime::create(executable, options));
  auto instance = value(runtime->bind(*executable.program.function("infer")));
  LayerRun run;
  run.x = randomFloats(batch * width, 9);
  std::memcpy(instance->argument(0), run.x.data(), run.x.size() * 4);
  for (int64_t i = 0; i < times; ++i)
    EXPECT_SUCCESS(runtime->team().run([&](int64_t rank) {
      runtime->team().communicator(rank).counters = {};
      return instance->run(rank);
    }));
  const auto *y = reinterpret_cast<const float *>(instance->address(0, *instance->result(Role::Output)));
  run.y.assign(y, y + batch * width);
  HostTensor *parts[] = {&run.l, &run.c, &run.d, &run.b};
  for (size_t i = 0; i < 4; ++i)
    *parts[i] = gatherParts(executable.program.parameters[i], p,
                            [&](int64_t rank) { return runtime->parameters().address(rank, i); });
  for (int64_t rank = 0; rank < p; ++rank)
    run.counters.push_back(runtime->team().communicator(rank).counters);
  return run;
}

/// The layer of the cost model's document, in plain loops.
std::vector<double> referenceLayer(const LayerRun &run, int64_t p) {
  const int64_t m = width / p;
  const float *l = run.l.data<float>(), *c = run.c.data<float>(), *d = run.d.data<float>(),
              *b = run.b.data<float>();
  std::vector<double> y(batch * width);
  for (int64_t row = 0; row < batch; ++row)
    for (int64_t j = 0; j < p; ++j)
      for (int64_t a = 0; a < m; ++a) {
        double z = b[j * m + a];
        for (int64_t i = 0; i < m; ++i)
          z += double(run.x[row * width + j * m + i]) * l[(j * m + a) * m + i];
        for (int64_t i = 0; i < p; ++i)
          for (int64_t q = 0; q < ghosts && i != j; ++q) {
            double ghost = 0;
            for (int64_t s = 0; s < m; ++s)
              ghost += double(run.x[row * width + i * m + s]) * c[(i * ghosts + q) * m + s];
            z += ghost * d[((j * p + i) * ghosts + q) * m + a];
          }
        y[row * width + j * m + a] = std::tanh(z);
      }
  return y;
}

} // namespace

TEST(Executor, PhantomLayerMatchesLoopsAndCountsItsBytes) {
  for (int64_t p : {1, 2, 4, 8}) {
    LayerRun run = runLayer(p);
    std::vector<double> expected = referenceLayer(run, p);
    for (int64_t i = 0; i < batch * width; ++i)
      EXPECT_NEAR(run.y[i], expected[i], 1e-5) << "p=" << p;
    for (const CommCounters &counters : run.counters) {
      EXPECT_EQ(counters.bytes, (p - 1) * (ghosts * batch * 4 + batch * width / p * 4));
      EXPECT_EQ(counters.exchanges, 2);
    }
  }
}

TEST(Executor, RepeatedRunsGiveTheSameBits) {
  LayerRun once = runLayer(4), often = runLayer(4, nullptr, 50);
  EXPECT_EQ(once.y, often.y);
}

TEST(Executor, DelayedRanksChangeNothing) {
  struct Delays final : FaultInjector {
    std::atomic<int> calls{0};
    void beforeStart(int64_t rank, const BoundExchange &) override {
      std::this_thread::sleep_for(std::chrono::microseconds((++calls * 7919 + int(rank) * 997) % 2000));
    }
  } delays;
  EXPECT_EQ(runLayer(4, &delays, 20).y, runLayer(4).y);
}

TEST(Executor, ACorruptedGhostSlotChangesTheResult) {
  struct Corruption final : FaultInjector {
    void beforeStart(int64_t rank, const BoundExchange &exchange) override {
      if (rank == 1 && exchange.index == 0)
        reinterpret_cast<float *>(exchange.window)[rank * ghosts * batch] += 1;
    }
  } corruption;
  std::vector<float> good = runLayer(2).y, bad = runLayer(2, &corruption).y;
  EXPECT_NE(good, bad);
  // Only sample 0 of rank 0 depends on that number: rank 1 has a zero block for its own ghosts.
  const int64_t m = width / 2;
  for (int64_t i = 0; i < batch * width; ++i)
    EXPECT_EQ(good[i] != bad[i], i < m) << i;
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// The layer, with the output [batch, width] exchanged all to all instead of gathered.
static Executable permutedLayer() {
  Executable executable = phantomLayer(2);
  Program &program = executable.program;
  Exchange &output = program.exchanges[1];
  output.kind = ExchangeKind::AllToAll;
  output.outer = 1;
  output.inner = batch * width / 2;
  output.destination = arena(4096);
  program.windows[1].bytes = 2 * batch * width * 4;
  program.functions[0].results[0].buffer = arena(4096);
  return executable;
}

TEST(Verify, AllToAllsHaveRoom) {
  auto refuse = [](auto change, const std::string &part) {
    Executable executable = permutedLayer();
    change(executable.program);
    EXPECT_TRUE(contains(message(verifyExecutable(executable)), part));
  };
  for (ElementType element : {ElementType::F32, ElementType::I8, ElementType::BF16}) {
    Executable executable = permutedLayer();
    executable.program.exchanges[1].element = element;
    EXPECT_SUCCESS(verifyExecutable(executable));
  }
  refuse([](Program &p) { p.windows[1].bytes -= 4; }, "too small");
  refuse([](Program &p) { p.exchanges[1].outer = 2, p.windows[1].bytes *= 2; }, "not contiguous");
  refuse([](Program &p) { p.exchanges[1].destination.reset(); }, "has no destination");
  refuse([](Program &p) { p.exchanges[1].destination = window(1); }, "which the peers still read");
  refuse([](Program &p) { p.exchanges[1].destination = arena(8192 - batch * width * 4 + 4); },
         "does not fit its region of 8192 bytes");
}

TEST(Verify, ReductionsAreOfFloats) {
  for (ElementType element : {ElementType::I32, ElementType::BF16}) {
    Executable executable = permutedLayer();
    executable.program.exchanges[1].kind = ExchangeKind::ReduceScatter;
    executable.program.exchanges[1].element = element;
    EXPECT_TRUE(contains(message(verifyExecutable(executable)), "f32 or f64 is needed"));
  }
}

TEST(Verify, RefusesBadPrograms) {
  auto refuse = [](auto change, const std::string &part) {
    Executable executable = phantomLayer(2);
    change(executable, executable.program, executable.program.functions[0]);
    EXPECT_TRUE(contains(message(verifyExecutable(executable)), part));
  };
  EXPECT_SUCCESS(verifyExecutable(phantomLayer(2)));
  refuse([](auto &, Program &p, Function &) { p.ranks = 0; }, "at least one rank");
  refuse([](Executable &e, auto &, auto &) { e.kernels.pop_back(); }, "2 kernels are declared, but 1");
  refuse([](Executable &e, auto &, auto &) { e.kernels[1] = nullptr; }, "'put' has no code");
  refuse([](auto &, auto &, Function &f) { std::get<GemmCommand>(f.commands[1]).k = 0; }, "empty size");
  refuse([](auto &, auto &, Function &f) { std::get<GemmCommand>(f.commands[1]).element = ElementType::F64; },
         "are f32");
  refuse([](auto &, auto &, Function &f) { std::get<GemmCommand>(f.commands[1]).factors = ElementType::I8; },
         "has factors of i8; f32 or bf16 is needed");
  refuse([](auto &, auto &, Function &f) { f.results[0].type.element = ElementType::BF16; },
         "bf16 is no type of arguments and results");
  refuse([](auto &, Program &p, auto &) { p.parameters[0].type.element = ElementType::BF16; },
         "bf16 is no type of parameters");
  refuse([](auto &, auto &, Function &f) { f.arenaBytes = 4200; }, "does not fit its region of 4200 bytes");
  refuse([](auto &, auto &, Function &f) { std::get<KernelCommand>(f.commands[0]).kernel = 7; }, "kernel 7");
  refuse([](auto &, auto &, Function &f) { std::get<KernelCommand>(f.commands[0]).arguments[0].index = 9; },
         "index 9");
  refuse(
      [](auto &, auto &, Function &f) { std::get<KernelCommand>(f.commands[0]).arguments[0].rankStride = 4; },
      "only windows");
  refuse([](auto &, auto &, Function &f) { f.arguments[1].type.element = ElementType::I32; },
         "an i64 scalar");
  refuse(
      [](auto &, auto &, Function &f) {
        f.name = "evaluate";
        f.results[0].type.shape = {5};
      },
      "does not divide into 6 rows");
  refuse([](auto &, auto &, Function &f) { std::swap(f.commands[2], f.commands[4]); }, "before its start");
  refuse([](auto &, auto &, Function &f) { f.commands.pop_back(); }, "never waits for exchange 'output'");
  refuse([](auto &, Program &p, auto &) { p.windows[0].bytes -= 4; }, "does not fit its region of 92 bytes");
  refuse([](auto &, Program &p, auto &) { p.exchanges[1].window = 0; }, "used twice");
  refuse([](auto &, Program &p, auto &) { p.exchanges[1].kind = ExchangeKind::ReduceScatter; }, "too small");
  refuse([](auto &, Program &p, auto &) { p.parameters[0].name = "x"; }, "takes the parameter 'L'");
  refuse(
      [](auto &, auto &, Function &f) {
        f.results.push_back({Role::Gradient, "nothing", {ElementType::F32, {1}}, arena(0)});
      },
      "gradient of 'nothing'");
}
