//===- Session.cpp - Train, evaluate and infer with a step program --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Session.h"

#include "Batches.h"
#include "Evaluator.h"
#include "Trainer.h"
#include "phantom-rt/CpuRuntime.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/ScopeExit.h"

#include <cmath>
#include <cstring>

using namespace llvm;

namespace phantom::rt {

RankTeamOptions teamOptions(const SessionOptions &options) {
  RankTeamOptions team;
  team.bind = options.bindThreads;
  team.threadsPerRank = options.threadsPerRank;
  team.timeoutSeconds = options.timeoutSeconds;
  team.faults = options.faults;
  team.processes = options.processes;
  return team;
}

Expected<std::unique_ptr<Session>> Session::create(const Executable &executable,
                                                   const SessionOptions &options) {
  CpuRuntimeOptions runtimeOptions;
  runtimeOptions.seed = options.seed;
  runtimeOptions.parameterFile = options.parameterFile;
  runtimeOptions.gemms = options.gemms;
  runtimeOptions.team = teamOptions(options);
  Expected<std::unique_ptr<CpuRuntime>> runtime = CpuRuntime::create(executable, runtimeOptions);
  if (!runtime)
    return runtime.takeError();
  return std::make_unique<Session>(std::move(*runtime), options.seed);
}

Expected<FunctionInstance *> Session::instance(StringRef name) {
  std::unique_ptr<FunctionInstance> &kept = instances[name.str()];
  if (kept)
    return kept.get();
  const Function *function = device->program().function(name.str());
  if (!function)
    return makeError("the step program has no function '" + name + "'");
  Expected<std::unique_ptr<FunctionInstance>> bound = device->bind(*function);
  if (!bound)
    return bound.takeError();
  kept = std::move(*bound);
  kept->setSeed(seed);
  return kept.get();
}

Expected<TrainStep> Session::bindTrainStep() {
  const Program &program = device->program();
  const bool divided = program.function("accumulate") != nullptr;
  Expected<FunctionInstance *> onPart = instance(divided ? "accumulate" : "train_step");
  if (!onPart)
    return onPart.takeError();
  Expected<FunctionInstance *> onEnd = instance(divided ? "update" : "train_step");
  if (!onEnd)
    return onEnd.takeError();
  if (!(*onPart)->result(Role::Loss))
    return makeError("step program: function '" + (*onPart)->function().name + "' returns no loss");
  (*onPart)->setValidCount(program.batch);
  return TrainStep(**onPart, **onEnd, program.accumulation);
}

std::unique_ptr<EnergySource> Session::energySource(EnergyOptions options) const {
  if (device->team().isDistributed() && options.kind != EnergyKind::External &&
      options.kind != EnergyKind::None) {
    options.kind = EnergyKind::None;
    options.noneReason = "the ranks are in several processes, and none sees the energy of all";
  }
  return chooseEnergy(options, device->deviceEnergy());
}

Error Session::saveParameters(StringRef path) {
  if (Error error = device->fetchParameters())
    return error;
  return device->team().isRoot() ? device->parameters().save(path) : Error::success();
}

MemoryNeed Session::memoryNeedSoFar() const {
  std::vector<BoundFunction> bound;
  for (const auto &[name, instance] : instances)
    if (instance) // null where it could not be bound
      bound.push_back({&instance->function(), instance->gemmWorkspace()});
  return memoryNeed(device->program(), bound);
}

Expected<TrainReport> Session::train(const TrainOptions &options) {
  (void)peakOwnBytes(); // what compiling took: no data is mapped yet
  Expected<TrainStep> step = bindTrainStep();
  if (!step)
    return step.takeError();
  std::unique_ptr<Evaluator> heldOut;
  if (options.evalEvery > 0) {
    Expected<FunctionInstance *> evaluate = instance("evaluate");
    if (!evaluate)
      return evaluate.takeError();
    if (Error error = Evaluator::create(*device, **evaluate, options.heldOut).moveInto(heldOut))
      return error;
  }
  const std::unique_ptr<EnergySource> energy = energySource(options.energy);
  Expected<std::unique_ptr<Trainer>> trainer =
      Trainer::create(*device, *step, heldOut.get(), *energy, options, seed);
  if (!trainer)
    return trainer.takeError();
  const MemoryNeed need = memoryNeedSoFar();
  Expected<TrainReport> report = (*trainer)->run();
  if (report) {
    report->memoryNeed = need;
    report->peakMemoryBytes = peakOwnBytes();
  }
  return report;
}

//===----------------------------------------------------------------------===//
// Passes over a data set, without training
//===----------------------------------------------------------------------===//

Error forEachBatch(Runtime &runtime, FunctionInstance &function, const DataSet &data,
                   const std::function<Error(int64_t, int64_t, int64_t)> &visit) {
  const int64_t batch = runtime.program().batch, rows = data.rows();
  RankTeam &team = runtime.team();
  return team.run([&](int64_t rank) -> Error {
    const scope_exit last([&, rank] { data.takeBack(function, rank); });
    for (int64_t first = 0; first < rows; first += batch) {
      const int64_t valid = std::min(batch, rows - first);
      if (first > 0)
        if (Error error = team.communicator(rank).barrier("the end of a batch"))
          return error;
      data.provideBatch(first, runtime, function, rank);
      if (rank == team.leader())
        function.setValidCount(valid);
      if (Error error = team.communicator(rank).barrier("the start of a batch"))
        return error;
      if (Error error = function.run(rank))
        return error;
      if (Error error = visit(rank, first, valid))
        return error;
    }
    return Error::success();
  });
}

Expected<Session::BoundData> Session::open(StringRef name, const DataFiles &files) {
  Expected<FunctionInstance *> function = instance(name);
  if (!function)
    return function.takeError();
  Expected<DataSet> data = DataSet::open(files, device->program(), (*function)->function());
  if (!data)
    return data.takeError();
  return BoundData{**function, std::move(*data)};
}

Expected<EvaluationReport> Session::evaluate(const DataFiles &files) {
  Expected<FunctionInstance *> function = instance("evaluate");
  if (!function)
    return function.takeError();
  Expected<std::unique_ptr<Evaluator>> evaluator = Evaluator::create(*device, **function, files);
  return evaluator ? (*evaluator)->run() : evaluator.takeError();
}

/// A gradient of all ranks together, where rank 0 is; empty elsewhere.
static Expected<HostTensor> gatherResult(Runtime &runtime, const FunctionInstance &function,
                                         const Result &result) {
  RankTeam &team = runtime.team();
  const auto bytes = size_t(result.type.bytes());
  std::vector<std::byte> others(team.isDistributed() && team.isRoot() ? bytes * size_t(team.size()) : 0);
  auto ofOther = [&](int64_t rank) { return others.data() + size_t(rank) * bytes; };
  if (Error error = team.gather({function.address(team.leader(), result), bytes}, ofOther,
                                "the collection of the gradients"))
    return error;
  if (!team.isRoot())
    return HostTensor();
  const Parameter &parameter = runtime.program().parameters[*runtime.parameters().find(result.name)];
  return gatherParts(parameter, team.size(), [&](int64_t rank) -> const std::byte * {
    return team.isHere(rank) ? function.address(rank, result) : ofOther(rank);
  });
}

Expected<double> Session::dumpGradients(const DataFiles &files, StringRef outputFile) {
  const Program &program = device->program();
  Expected<BoundData> bound = open("gradients", files);
  if (!bound)
    return bound.takeError();
  auto &[function, data] = *bound;
  if (data.rows() < program.batch)
    return makeError(data.label() + " has " + Twine(data.rows()) + " rows, too few for one batch of " +
                     Twine(program.batch) + "; use a smaller batch size");
  for (int64_t row = 0; row < program.batch; ++row)
    data.copyRow(row, function, row);
  function.setValidCount(program.batch);
  function.setStep(1);
  if (Error error = device->team().run([&](int64_t rank) { return function.run(rank); }))
    return error;

  std::vector<HostTensor> wholes;
  std::vector<NamedTensor> tensors;
  wholes.reserve(function.function().results.size());
  for (const Result &result : function.function().results) {
    if (result.role != Role::Gradient)
      continue;
    if (Error error = gatherResult(*device, function, result).moveInto(wholes.emplace_back()))
      return error;
    tensors.push_back({result.name, wholes.back().type, wholes.back().bytes.data()});
  }
  if (device->team().isRoot())
    if (Error error = writeSafeTensors(
            outputFile, tensors, {{"strategy", program.strategy}, {"ranks", std::to_string(program.ranks)}}))
      return error;
  const Result *loss = function.result(Role::Loss);
  return loss ? function.scalar(device->team().leader(), *loss) : std::nan("");
}

} // namespace phantom::rt
