//===- CpuRuntime.cpp - A program loaded on this process's CPUs -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/CpuRuntime.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/VerifyProgram.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

/// A function with the ranks' arenas.
class CpuFunctionInstance : public FunctionInstance {
public:
  CpuFunctionInstance(CpuRuntime &runtime, const Function &function)
      : FunctionInstance(function), runtime(runtime) {}

  /// Binds the function on all ranks.
  Error bind();

  Error run(int64_t rank, function_ref<void()> beforeBarrier, function_ref<void()> whileRunning) override;
  const std::byte *address(int64_t rank, const Result &result) const override {
    return executors[rank]->address(result.buffer);
  }
  bool lend(int64_t rank, size_t index, const std::byte *memory) override {
    return executors[rank]->lend(index, memory ? memory : shared[index]);
  }
  GemmWorkspace gemmWorkspace() const override { return executors[runtime.ranks.leader()]->gemmWorkspace(); }
  void setTimings(int64_t rank, std::vector<CommandTiming> *timings) override {
    executors[rank]->timings = timings;
  }

private:
  Error bindRank(int64_t rank);

  CpuRuntime &runtime;
  std::vector<AlignedBuffer> memory; ///< of the shared arguments
  std::vector<AlignedBuffer> arenas; ///< by rank
  std::vector<AlignedBuffer> rankScalars;
  std::vector<std::unique_ptr<RankExecutor>> executors;
  std::vector<std::optional<uint64_t>> preparedFor; ///< by rank: the store's changes
};

//===----------------------------------------------------------------------===//
// CpuRuntime
//===----------------------------------------------------------------------===//

CpuRuntime::CpuRuntime(const Executable &executable, const CpuRuntimeOptions &options)
    : Runtime(executable.program, options.team), executable(executable), gemms(options.gemms),
      threadsPerRank(options.team.threadsPerRank) {}

Expected<std::unique_ptr<CpuRuntime>> CpuRuntime::create(const Executable &executable,
                                                         const CpuRuntimeOptions &options) {
  if (executable.program.device != DeviceKind::Cpu)
    return makeError("the program was compiled for GPUs, not for a CPU");
  if (Error error = verifyExecutable(executable))
    return error;
  std::unique_ptr<CpuRuntime> runtime(new CpuRuntime(executable, options));
  if (Error error = runtime->load(options))
    return error;
  return runtime;
}

Error CpuRuntime::load(const CpuRuntimeOptions &options) {
  for (const Window &window : program().windows) {
    Expected<AlignedBuffer> buffer = AlignedBuffer::create(window.bytes);
    if (!buffer)
      return buffer.takeError();
    windows.push_back(std::move(*buffer));
  }
  for (const std::vector<uint8_t> &constant : program().constants) {
    Expected<AlignedBuffer> buffer = AlignedBuffer::create(int64_t(constant.size()));
    if (!buffer)
      return buffer.takeError();
    if (!constant.empty())
      std::memcpy(buffer->data(), constant.data(), constant.size());
    constants.push_back(std::move(*buffer));
  }
  return initializeParameters(options.seed, options.parameterFile);
}

Expected<std::unique_ptr<FunctionInstance>> CpuRuntime::bind(const Function &function) {
  auto instance = std::make_unique<CpuFunctionInstance>(*this, function);
  if (Error error = instance->bind())
    return error;
  return instance;
}

//===----------------------------------------------------------------------===//
// CpuFunctionInstance
//===----------------------------------------------------------------------===//

Error CpuFunctionInstance::bind() {
  for (const Argument &argument : bound.arguments) {
    const bool own = argument.role == Role::Parameter || argument.role == Role::Rank;
    Expected<AlignedBuffer> buffer = own ? AlignedBuffer() : AlignedBuffer::create(argument.type.bytes());
    if (!buffer)
      return buffer.takeError();
    shared.push_back(buffer->data());
    memory.push_back(std::move(*buffer));
  }
  RankTeam &ranks = runtime.ranks;
  arenas.resize(ranks.size());
  rankScalars.resize(ranks.size());
  executors.resize(ranks.size());
  preparedFor.resize(ranks.size());
  return ranks.run([&](int64_t rank) { return bindRank(rank); });
}

Error CpuFunctionInstance::bindRank(int64_t rank) {
  Expected<AlignedBuffer> arena = AlignedBuffer::create(bound.arenaBytes);
  if (!arena)
    return arena.takeError();
  Expected<AlignedBuffer> scalar = AlignedBuffer::create(sizeof(int64_t));
  if (!scalar)
    return scalar.takeError();
  std::memcpy(scalar->data(), &rank, sizeof(rank));
  arenas[rank] = std::move(*arena);
  rankScalars[rank] = std::move(*scalar);

  RankBindings bindings;
  bindings.rank = rank;
  bindings.arena = arenas[rank].data();
  bindings.gemms = &runtime.gemms;
  bindings.threads = runtime.threadsPerRank;
  for (size_t i = 0; i < bound.arguments.size(); ++i) {
    const Argument &argument = bound.arguments[i];
    if (argument.role == Role::Parameter)
      bindings.arguments.push_back(runtime.store.address(rank, *runtime.store.find(argument.name)));
    else if (argument.role == Role::Rank)
      bindings.arguments.push_back(rankScalars[rank].data());
    else
      bindings.arguments.push_back(shared[i]);
  }
  for (const AlignedBuffer &window : runtime.windows)
    bindings.windows.push_back(window.data());
  for (const AlignedBuffer &constant : runtime.constants)
    bindings.constants.push_back(constant.data());

  Expected<std::unique_ptr<RankExecutor>> executor =
      RankExecutor::create(runtime.executable, bound, std::move(bindings), runtime.ranks.communicator(rank));
  if (!executor)
    return executor.takeError();
  executors[rank] = std::move(*executor);
  return Error::success();
}

Error CpuFunctionInstance::run(int64_t rank, function_ref<void()> beforeBarrier, function_ref<void()>) {
  // No rank trains while another one infers: the barrier is between them.
  if (bound.name == "infer" && preparedFor[rank] != runtime.store.changes()) {
    if (Error error = executors[rank]->prepareWeights())
      return error;
    preparedFor[rank] = runtime.store.changes();
  }
  if (Error error = executors[rank]->run())
    return error;
  if (bound.updatesParameters() && rank == runtime.ranks.leader())
    runtime.store.noteChange();
  if (beforeBarrier)
    beforeBarrier();
  return runtime.ranks.communicator(rank).barrier("the end of a run");
}

} // namespace phantom::rt
