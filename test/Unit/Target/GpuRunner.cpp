//===- GpuRunner.cpp - GPU programs, run on the host in their order -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuRunner.h"

#include "ValueOrAbort.h"

#include "Runner.h"

#include "phantom/Conversion/Pipelines.h"
#include "phantom/InitAll.h"
#include "phantom/Target/GPU/Compile.h"

#include "phantom-rt/VerifyProgram.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/ErrorHandling.h"

#include <barrier>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <thread>

using namespace phantom;
using namespace phantom::rt;
using phantom::test::GpuRunner;

using ::phantom::test::check;
using ::phantom::test::valueOrAbort;

namespace {

CompiledGpuProgram compile(const std::string &ir) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(ir, &context);
  mlir::PassManager passes(&context);
  mlir::phantom::ToCudaPipelineOptions pipeline;
  mlir::phantom::buildToCudaPipeline(passes, pipeline);
  if (!module || failed(passes.run(*module)))
    llvm::report_fatal_error("the IR does not compile");
  mlir::phantom::GpuCompileOptions options;
  options.image = mlir::phantom::GpuImage::None;
  options.twins = true;
  return valueOrAbort(mlir::phantom::compileForGpu(*module, options));
}

void waitForBlock(TwinThread *thread) { static_cast<std::barrier<> *>(thread->scheduler)->arrive_and_wait(); }

/// A block with barriers: a thread of the host for each of the GPU.
void runBlock(const KernelTwin &twin, void *const *arguments, int64_t block, const LaunchShape &shape) {
  std::vector<std::byte> workgroup(twin.workgroupBytes);
  std::barrier<> barrier(shape.threads);
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < shape.threads; ++i)
    threads.emplace_back([&, i] {
      TwinThread thread{block, shape.blocks, i, shape.threads, workgroup.data(), &barrier};
      twin.run(arguments, &thread);
    });
  for (std::thread &thread : threads)
    thread.join();
}

double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

/// A bit of a row of an aux buffer.
struct AuxBit {
  AuxBit(std::byte *row, int64_t column) : byte(row[column / 8]), mask(std::byte(1 << (column % 8))) {}
  void set(bool value) { byte = value ? byte | mask : byte & ~mask; }
  bool get() const { return (byte & mask) != std::byte(0); }

  std::byte &byte;
  std::byte mask;
};

/// What becomes of element `column` of a row, whose aux begins at `aux`.
double applyEpilogue(Epilogue epilogue, double x, std::byte *aux, int64_t column) {
  auto operand = [&]() -> float & { return reinterpret_cast<float *>(aux)[column]; };
  const double step = 1e-5;
  switch (epilogue) {
  case Epilogue::None:
    return x;
  case Epilogue::ReluAux:
    AuxBit(aux, column).set(x > 0);
    [[fallthrough]];
  case Epilogue::Relu:
    return std::max(x, 0.0);
  case Epilogue::GeluTanhAux:
    operand() = float(x);
    [[fallthrough]];
  case Epilogue::GeluTanh:
    return gelu(x);
  case Epilogue::ReluGradient:
    return AuxBit(aux, column).get() ? x : 0;
  case Epilogue::GeluTanhGradient:
    return x * (gelu(operand() + step) - gelu(operand() - step)) / (2 * step);
  default:
    llvm::report_fatal_error("no such epilogue in these tests");
  }
}

} // namespace

GpuRunner::GpuRunner(const std::string &ir, const std::string &functionName) : compiled(compile(ir)) {
  check(verifyProgram(program()));
  twins = valueOrAbort(linkTwins(compiled, waitForBlock));
  function = program().function(functionName);
  if (!function)
    llvm::report_fatal_error("no such function");
  auto initializer = valueOrAbort(ParameterInitializer::prepare(program(), /*seed=*/0));
  store = std::make_unique<ParameterStore>(program());
  ranks.resize(program().ranks);
  for (int64_t rank = 0; rank < program().ranks; ++rank) {
    check(store->allocate(rank));
    for (size_t i = 0; i < program().parameters.size(); ++i)
      initializer.fill(program().parameters[i], rank, store->address(rank, i));
    ranks[rank].arena.resize(function->arenaBytes, std::byte{0xff}); // NaN
    for (const Window &window : program().windows)
      ranks[rank].windows.emplace_back(window.bytes, std::byte{0xff});
    for (const Argument &argument : function->arguments) {
      auto &memory = ranks[rank].arguments.emplace_back(argument.type.bytes());
      if (argument.role == Role::Rank)
        std::memcpy(memory.data(), &rank, sizeof(rank));
    }
  }
}

void GpuRunner::set(const std::string &name, const std::vector<double> &values) {
  for (size_t i = 0; i < function->arguments.size(); ++i)
    if (function->arguments[i].name == name) {
      for (RankMemory &rank : ranks)
        test::store(function->arguments[i].type, rank.arguments[i].data(), values);
      return;
    }
  llvm::report_fatal_error("no such argument");
}

std::byte *GpuRunner::address(int64_t rank, const BufferRef &ref) const {
  const RankMemory &memory = ranks[rank];
  const std::byte *base = nullptr;
  switch (ref.region) {
  case Region::Argument: {
    const Argument &argument = function->arguments[ref.index];
    base = argument.role == Role::Parameter ? store->address(rank, *store->find(argument.name))
                                            : memory.arguments[ref.index].data();
    break;
  }
  case Region::Arena:
    base = memory.arena.data();
    break;
  case Region::Window:
    base = memory.windows[ref.index].data();
    break;
  case Region::Constant:
    base = reinterpret_cast<const std::byte *>(program().constants[ref.index].data());
    break;
  }
  return const_cast<std::byte *>(base) + ref.offset + rank * ref.rankStride;
}

void GpuRunner::run(int64_t rank, const GemmCommand &gemm) const {
  auto floats = [&](const BufferRef &ref) { return reinterpret_cast<float *>(address(rank, ref)); };
  const float *bias = gemm.bias ? floats(*gemm.bias) : nullptr;
  auto factor = [&](const BufferRef &ref, int64_t at) -> double {
    const std::byte *begin = address(rank, ref);
    if (gemm.factors == ElementType::BF16)
      return std::bit_cast<float>(uint32_t(reinterpret_cast<const uint16_t *>(begin)[at]) << 16);
    return reinterpret_cast<const float *>(begin)[at];
  };
  const bool bits = gemm.epilogue == Epilogue::ReluAux || gemm.epilogue == Epilogue::ReluGradient;
  const int64_t auxBytes = bits ? gemm.auxRow / 8 : gemm.auxRow * byteWidth(gemm.element);
  std::vector<double> columnSums(gemm.n);
  for (int64_t i = 0; i < gemm.m; ++i)
    for (int64_t j = 0; j < gemm.n; ++j) {
      float &c = floats(gemm.c)[i * gemm.cRow + j];
      double sum = gemm.accumulate ? c : 0;
      for (int64_t l = 0; l < gemm.k; ++l)
        sum += factor(gemm.a, i * gemm.aRow + l * gemm.aCol) * factor(gemm.b, l * gemm.bRow + j * gemm.bCol);
      std::byte *aux = gemm.aux ? address(rank, *gemm.aux) + i * auxBytes : nullptr;
      const double value = applyEpilogue(gemm.epilogue, sum + (bias ? bias[j] : 0), aux, j);
      c = float(value);
      columnSums[j] += value;
    }
  if (gemm.biasGradient)
    std::copy(columnSums.begin(), columnSums.end(), floats(*gemm.biasGradient));
}

void GpuRunner::run(int64_t rank, const KernelCommand &kernel) {
  const KernelTwin &twin = twins.twins[kernel.kernel];
  std::vector<void *> arguments;
  for (const BufferRef &argument : kernel.arguments)
    arguments.push_back(address(rank, argument));
  barrierLaunchCount += twin.hasBarrier;
  for (int64_t block = kernel.shape.blocks; block-- > 0;) {
    if (twin.hasBarrier) {
      runBlock(twin, arguments.data(), block, kernel.shape);
      continue;
    }
    for (int64_t i = kernel.shape.threads; i-- > 0;) {
      TwinThread thread{block, kernel.shape.blocks, i, kernel.shape.threads, nullptr, nullptr};
      twin.run(arguments.data(), &thread);
    }
  }
}

/// A gather or an all-to-all: of any element type.
void GpuRunner::move(const CollectiveCommand &collective, bool permutes) const {
  const int64_t block = collective.count * byteWidth(collective.element), p = program().ranks;
  std::vector<std::vector<std::byte>> results(p);
  for (int64_t to = 0; to < p; ++to)
    for (int64_t from = 0; from < p; ++from) {
      const std::byte *begin = address(from, collective.send) + (permutes ? to * block : 0);
      results[to].insert(results[to].end(), begin, begin + block);
    }
  for (int64_t to = 0; to < p; ++to)
    std::copy(results[to].begin(), results[to].end(), address(to, collective.receive));
}

void GpuRunner::run(const CollectiveCommand &collective) const {
  const int64_t count = collective.count, p = program().ranks;
  auto floats = [&](int64_t rank, const BufferRef &ref) {
    return reinterpret_cast<float *>(address(rank, ref));
  };
  const ExchangeKind kind = program().exchanges[collective.exchange].kind;
  if (kind == ExchangeKind::AllGather || kind == ExchangeKind::AllToAll)
    return move(collective, kind == ExchangeKind::AllToAll);
  std::vector<std::vector<float>> results(p);
  for (int64_t to = 0; to < p; ++to) {
    results[to].resize(count);
    const int64_t first = kind == ExchangeKind::ReduceScatter ? to * count : 0;
    for (int64_t from = 0; from < p; ++from)
      for (int64_t i = 0; i < count; ++i)
        results[to][i] += floats(from, collective.send)[first + i];
  }
  for (int64_t to = 0; to < p; ++to)
    std::copy(results[to].begin(), results[to].end(), floats(to, collective.receive));
}

void GpuRunner::run() {
  for (const Command &command : function->commands) {
    if (auto *collective = std::get_if<CollectiveCommand>(&command))
      run(*collective);
    for (int64_t rank = 0; rank < program().ranks; ++rank) {
      if (auto *gemm = std::get_if<GemmCommand>(&command))
        run(rank, *gemm);
      else if (auto *kernel = std::get_if<KernelCommand>(&command))
        run(rank, *kernel);
    }
  }
}

std::vector<double> GpuRunner::get(const std::string &name, int64_t rank) const {
  for (const Result &result : function->results)
    if (result.name == name)
      return load(result.type, address(rank, result.buffer));
  llvm::report_fatal_error("no such result");
}

std::vector<double> GpuRunner::parameter(const std::string &name, int64_t rank) const {
  auto index = store->find(name);
  if (!index)
    llvm::report_fatal_error("no such parameter");
  return load(program().parameters[*index].type, store->address(rank, *index));
}
