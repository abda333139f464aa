//===- GpuRuntime.cpp - A program loaded on GPUs --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/GpuRuntime.h"

#include "GpuExecutor.h"
#include "MeasureMatmuls.h"
#include "NvmlEnergy.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/VerifyProgram.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

using namespace gpu;

/// A function bound on the ranks' GPUs.
class GpuFunctionInstance : public FunctionInstance {
public:
  GpuFunctionInstance(GpuRuntime &runtime, const Function &function);

  Error bind();
  Expected<bool> keepNextArguments() override;
  void advance() override;
  Error run(int64_t rank, function_ref<void()> beforeBarrier, function_ref<void()> whileRunning) override;
  const std::byte *address(int64_t rank, const Result &result) const override {
    return executors[rank]->hostResult(size_t(&result - bound.results.data()));
  }
  void setTimings(int64_t rank, std::vector<CommandTiming> *timings) override {
    executors[rank]->timings = timings;
  }
  uint64_t choicesHash() const { return executors[runtime.ranks.leader()]->choicesHash(); }

private:
  static bool isShared(const Argument &argument) {
    return argument.role != Role::Parameter && argument.role != Role::Rank;
  }
  /// The addresses of a new piece of memory for all shared arguments, which are zero.
  Expected<std::vector<std::byte *>> allocateArguments(Owned<void *> &piece);
  Error runOn(GpuRank &gpu, function_ref<void()> whileRunning);

  GpuRuntime &runtime;
  CommCounters perRun;
  Owned<void *> memory, nextMemory; ///< of the shared arguments of two runs
  HostArguments arguments;
  std::vector<std::unique_ptr<GpuExecutor>> executors; ///< by rank; of those that are here
};

//===----------------------------------------------------------------------===//
// GpuRuntime
//===----------------------------------------------------------------------===//

GpuRuntime::GpuRuntime(const Program &program, const GpuLibraries &libraries,
                       const GpuRuntimeOptions &options)
    : Runtime(program, options.team), api(libraries.api), libraries(libraries), options(options),
      gpus(size_t(program.ranks)), uploaded(size_t(program.ranks)),
      measured(std::make_unique<MeasuredMatmuls>()) {}

Expected<std::unique_ptr<GpuRuntime>> GpuRuntime::create(const Program &program, ArrayRef<char> image,
                                                         const GpuLibraries &libraries,
                                                         const GpuRuntimeOptions &options) {
  if (program.device != DeviceKind::Gpu)
    return makeError("the program was compiled for a CPU, not for GPUs");
  if (Error error = options.verify ? verifyProgram(program) : Error::success())
    return error;
  std::unique_ptr<GpuRuntime> runtime(new GpuRuntime(program, libraries, options));
  const ProcessGroup *processes = options.team.processes;
  if (Error error = processes ? checkGpuOfProcess(libraries, program.ranks, processes->localRank())
                                    .moveInto(runtime->ownGpu.emplace())
                              : checkGpus(libraries, program.ranks, options.exchange))
    return error;
  if (Error error = runtime->load(image))
    return error;
  return runtime;
}

/// Rank 0's id, for all.
Error GpuRuntime::shareNcclId(UniqueId &id) {
  if (ranks.isRoot())
    if (Error error = createNcclId(api).moveInto(id))
      return error;
  return ranks.broadcast(id, "the start of NCCL");
}

/// On the ranks' own threads: the end of a communicator may take until all ranks are there.
GpuRuntime::~GpuRuntime() {
  consumeError(ranks.run([&](int64_t rank) {
    if (gpus[rank])
      (void)api.cudaSetDevice(gpus[rank]->device());
    gpus[rank].reset();
    return Error::success();
  }));
}

Error GpuRuntime::onRanks(function_ref<Error(GpuRank &)> job) {
  return ranks.run([&](int64_t rank) -> Error {
    GpuRank &gpu = *gpus[rank];
    if (Error error = gpu.makeCurrent())
      return error;
    if (Error error = job(gpu))
      return gpu.fail(std::move(error));
    return Error::success();
  });
}

Error GpuRuntime::load(ArrayRef<char> image) {
  if (Error error = initializeParameters(options.seed, options.parameterFile))
    return error;
  // One rank exchanges with itself, for which NCCL need not be there.
  const bool loopback = options.exchange == GpuExchange::Loopback || program().ranks == 1;
  GpuShared shared{api, program(), ranks, options.team.timeoutSeconds, image, loopback, ownGpu, {}, nullptr};
  if (loopback)
    shared.loopbackGroup = createLoopbackGroup(program().ranks);
  else if (!program().exchanges.empty())
    if (Error error = shareNcclId(shared.ncclId))
      return error;
  Error error = ranks.run([&](int64_t rank) { return GpuRank::create(shared, rank).moveInto(gpus[rank]); });
  if (error)
    return error;
  if (Error upload = onRanks([&](GpuRank &gpu) { return gpu.upload(store); }))
    return upload;
  uploaded.assign(uploaded.size(), store.changes());
  return Error::success();
}

Error GpuRuntime::fetchParameters() {
  if (trained)
    if (Error error = onRanks([&](GpuRank &gpu) { return gpu.download(store); }))
      return error;
  trained = false;
  return gatherParameters();
}

/// Ranks that share a GPU count it once. No process sees the GPUs of all.
std::unique_ptr<EnergySource> GpuRuntime::deviceEnergy() const {
  if (ranks.isDistributed())
    return nullptr;
  const bool isShared = options.exchange == GpuExchange::Loopback;
  return createNvmlEnergy(libraries, isShared ? 1 : int(program().ranks));
}

Expected<std::unique_ptr<FunctionInstance>> GpuRuntime::bind(const Function &function) {
  auto instance = std::make_unique<GpuFunctionInstance>(*this, function);
  if (Error error = instance->bind())
    return error;
  // In the order of the binding, which is that of the program's use.
  choicesHash = choicesHash * 31 + instance->choicesHash();
  return instance;
}

//===----------------------------------------------------------------------===//
// GpuFunctionInstance
//===----------------------------------------------------------------------===//

GpuFunctionInstance::GpuFunctionInstance(GpuRuntime &runtime, const Function &function)
    : FunctionInstance(function), runtime(runtime), executors(size_t(runtime.program().ranks)) {
  for (const Command &command : function.commands)
    if (const auto *collective = std::get_if<CollectiveCommand>(&command)) {
      ++perRun.exchanges;
      perRun.bytes +=
          bytesFromPeers(runtime.program().exchanges[collective->exchange], runtime.program().ranks);
    }
}

Expected<std::vector<std::byte *>> GpuFunctionInstance::allocateArguments(Owned<void *> &piece) {
  if (Error error = allocatePinned(runtime.api, arguments.bytes, "the arguments of '" + bound.name + "'")
                        .moveInto(piece))
    return error;
  auto *begin = static_cast<std::byte *>(piece.get());
  if (begin)
    std::memset(begin, 0, size_t(arguments.bytes));
  std::vector<std::byte *> addresses;
  for (auto [argument, offset] : zip_equal(bound.arguments, arguments.offsets))
    addresses.push_back(isShared(argument) ? begin + offset : nullptr);
  return addresses;
}

Expected<bool> GpuFunctionInstance::keepNextArguments() {
  if (Error error = runtime.gpus[runtime.ranks.leader()]->makeCurrent())
    return error;
  if (Error error = allocateArguments(nextMemory).moveInto(next))
    return error;
  return true;
}

void GpuFunctionInstance::advance() {
  for (auto [i, argument] : enumerate(bound.arguments))
    if (isShared(argument) && argument.role != Role::Input && argument.role != Role::Target)
      std::memcpy(next[i], shared[i], size_t(argument.type.bytes()));
  std::swap(memory, nextMemory);
  std::swap(shared, next);
  arguments.memory = static_cast<const std::byte *>(memory.get());
}

Error GpuFunctionInstance::bind() {
  if (Error error = runtime.gpus[runtime.ranks.leader()]->makeCurrent())
    return error;
  MemoryPlan layout;
  for (const Argument &argument : bound.arguments)
    arguments.offsets.push_back(layout.add(isShared(argument) ? argument.type.bytes() : 0));
  arguments.bytes = layout.bytes();
  if (Error error = allocateArguments(memory).moveInto(shared))
    return error;
  arguments.memory = static_cast<const std::byte *>(memory.get());
  Error error = runtime.onRanks([&](GpuRank &gpu) {
    return GpuExecutor::create(gpu, bound, arguments, runtime.options.useGraphs)
        .moveInto(executors[gpu.rank()]);
  });
  if (error)
    return error;
  // One rank measures while the others do nothing: ranks may share a GPU.
  if (runtime.options.measureGemms)
    if (Error failure = runtime.onRanks([&](GpuRank &gpu) {
          return gpu.rank() == 0 ? executors[0]->measure(*runtime.measured, runtime.options.onMeasured)
                                 : Error::success();
        }))
      return failure;
  return runtime.onRanks([&](GpuRank &gpu) { return executors[gpu.rank()]->bind(*runtime.measured); });
}

Error GpuFunctionInstance::runOn(GpuRank &gpu, function_ref<void()> whileRunning) {
  const int64_t rank = gpu.rank();
  // No rank changes parameters while another one runs.
  if (runtime.uploaded[rank] != runtime.store.changes()) {
    if (Error error = gpu.upload(runtime.store))
      return error;
    runtime.uploaded[rank] = runtime.store.changes();
  }
  return executors[rank]->run(whileRunning);
}

Error GpuFunctionInstance::run(int64_t rank, function_ref<void()> beforeBarrier,
                               function_ref<void()> whileRunning) {
  GpuRank &gpu = *runtime.gpus[rank];
  if (Error error = gpu.makeCurrent())
    return error;
  if (Error error = runOn(gpu, whileRunning))
    return gpu.fail(std::move(error));
  if (bound.updatesParameters() && rank == runtime.ranks.leader())
    runtime.trained = true;
  Communicator &communicator = runtime.ranks.communicator(rank);
  communicator.counters.exchanges += perRun.exchanges;
  communicator.counters.bytes += perRun.bytes;
  if (beforeBarrier)
    beforeBarrier();
  if (Error error = communicator.barrier("the end of a run"))
    return gpu.fail(std::move(error));
  return Error::success();
}

} // namespace phantom::rt
