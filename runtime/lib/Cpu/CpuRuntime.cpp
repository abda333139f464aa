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

#include "llvm/ADT/STLExtras.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

//===----------------------------------------------------------------------===//
// CpuRuntime
//===----------------------------------------------------------------------===//

static RankTeamOptions teamOptions(const Program &program, RankTeamOptions options) {
  // Two barriers per run may be published on top of a function's exchanges.
  options.maximumOutstanding =
      std::max<int64_t>(options.maximumOutstanding, int64_t(program.exchanges.size()) + 4);
  return options;
}

CpuRuntime::CpuRuntime(const Executable &executable, const CpuRuntimeOptions &options)
    : executable(executable), store(executable.program), gemms(options.gemms),
      threadsPerRank(options.team.threadsPerRank),
      ranks(executable.program.ranks, teamOptions(executable.program, options.team)) {}

Expected<std::unique_ptr<CpuRuntime>> CpuRuntime::create(const Executable &executable,
                                                         const CpuRuntimeOptions &options) {
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

  // A file replaces what is trained, whose sources need not even be readable then.
  const bool fromFile = !options.parameterFile.empty();
  auto starts = [&](const Parameter &parameter) { return !fromFile || !parameter.trainable; };
  Program started;
  started.ranks = program().ranks;
  llvm::copy_if(program().parameters, std::back_inserter(started.parameters), starts);
  Expected<ParameterInitializer> initializer = ParameterInitializer::prepare(started, options.seed);
  if (!initializer)
    return initializer.takeError();
  Error error = ranks.run([&](int64_t rank) -> Error {
    if (Error allocation = store.allocate(rank))
      return allocation;
    for (size_t i = 0; i < program().parameters.size(); ++i)
      if (starts(program().parameters[i]))
        initializer->fill(program().parameters[i], rank, store.address(rank, i));
    return Error::success();
  });
  if (error)
    return error;
  return fromFile ? store.load(options.parameterFile) : Error::success();
}

Expected<std::unique_ptr<FunctionInstance>> CpuRuntime::bind(const Function &function) {
  std::unique_ptr<FunctionInstance> instance(new FunctionInstance(*this, function));
  for (const Argument &argument : function.arguments) {
    const bool own = argument.role == Role::Parameter || argument.role == Role::Rank;
    Expected<AlignedBuffer> buffer = own ? AlignedBuffer() : AlignedBuffer::create(argument.type.bytes());
    if (!buffer)
      return buffer.takeError();
    instance->shared.push_back(std::move(*buffer));
  }
  instance->arenas.resize(ranks.size());
  instance->rankScalars.resize(ranks.size());
  instance->executors.resize(ranks.size());
  instance->preparedFor.resize(ranks.size());
  if (Error error = ranks.run([&](int64_t rank) { return instance->bindRank(rank); }))
    return error;
  return instance;
}

//===----------------------------------------------------------------------===//
// FunctionInstance
//===----------------------------------------------------------------------===//

Error FunctionInstance::bindRank(int64_t rank) {
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
      bindings.arguments.push_back(shared[i].data());
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

void FunctionInstance::setLearningRate(double value) {
  for (size_t i = 0; i < bound.arguments.size(); ++i) {
    if (bound.arguments[i].role != Role::LearningRate)
      continue;
    const float narrow = float(value);
    if (bound.arguments[i].type.element == ElementType::F32)
      std::memcpy(shared[i].data(), &narrow, sizeof(narrow));
    else
      std::memcpy(shared[i].data(), &value, sizeof(value));
  }
}

/// Writes `value` to all arguments of the role, which are i64 scalars.
static void setIntegers(const Function &function, std::vector<AlignedBuffer> &shared, Role role,
                        int64_t value) {
  for (size_t i = 0; i < function.arguments.size(); ++i)
    if (function.arguments[i].role == role)
      std::memcpy(shared[i].data(), &value, sizeof(value));
}

void FunctionInstance::setStep(int64_t value) { setIntegers(bound, shared, Role::Step, value); }
void FunctionInstance::setValidCount(int64_t value) { setIntegers(bound, shared, Role::ValidCount, value); }

bool FunctionInstance::hasRole(Role role) const {
  for (const Argument &argument : bound.arguments)
    if (argument.role == role)
      return true;
  return false;
}

Error FunctionInstance::run(int64_t rank, function_ref<void()> beforeBarrier) {
  // No rank trains while another one infers: the barrier is between them.
  if (bound.name == "infer" && preparedFor[rank] != runtime.store.changes()) {
    if (Error error = executors[rank]->prepareWeights())
      return error;
    preparedFor[rank] = runtime.store.changes();
  }
  if (Error error = executors[rank]->run())
    return error;
  if (bound.name == "train_step" && rank == 0)
    runtime.store.noteChange();
  if (beforeBarrier)
    beforeBarrier();
  return runtime.ranks.communicator(rank).barrier("the end of a run");
}

const Result *FunctionInstance::result(Role role, StringRef name) const {
  for (const Result &candidate : bound.results)
    if (candidate.role == role && (name.empty() || candidate.name == name))
      return &candidate;
  return nullptr;
}

const std::byte *FunctionInstance::address(int64_t rank, const Result &result) const {
  return executors[rank]->address(result.buffer);
}

double FunctionInstance::scalar(int64_t rank, const Result &result) const {
  double value = 0;
  convertElements(storageType(result.type.element), address(rank, result), ElementType::F64, &value, 1);
  return value;
}

} // namespace phantom::rt
