//===- Gate.cpp - Whether every fault in a program is noticed --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gate.h"

#include "Mutants.h"

#include "phantom-rt/GpuRuntime.h"
#include "phantom-rt/GpuSim.h"
#include "phantom-rt/VerifyProgram.h"
#include "llvm/ADT/STLExtras.h"

#include <cstring>
#include <random>

using namespace llvm;
using namespace phantom::rt;

namespace phantom::mutation {

namespace {

/// What the host sees of some runs.
struct Outcome {
  std::vector<std::byte> data; ///< results of each run, and in the end all parameters
  std::string problem;         ///< what the double or the runtime reported first; empty: nothing
  bool operator==(const Outcome &) const = default;
};

/// The same values for all mutants: floats in ±1, indices and classes in their range.
void fillInputs(const Program &program, FunctionInstance &instance, uint64_t seed) {
  std::mt19937_64 random(seed);
  const Function &function = instance.function();
  for (size_t i = 0; i < function.arguments.size(); ++i) {
    const Argument &argument = function.arguments[i];
    if (argument.role != Role::Input && argument.role != Role::Target)
      continue;
    const int64_t limit = argument.role == Role::Target ? program.classes : argument.indexed;
    for (int64_t at = 0; at < argument.type.elements(); ++at) {
      const double unit = double(random() >> 11) * 0x1p-53;
      const int64_t whole = int64_t(unit * double(std::max<int64_t>(limit, 1)));
      std::byte *to = instance.argument(i) + at * byteWidth(argument.type.element);
      switch (argument.type.element) {
      case ElementType::F32: {
        const float value = float(2 * unit - 1);
        std::memcpy(to, &value, sizeof(value));
        break;
      }
      case ElementType::F64: {
        const double value = 2 * unit - 1;
        std::memcpy(to, &value, sizeof(value));
        break;
      }
      default: // little-endian integers
        std::memcpy(to, &whole, size_t(byteWidth(argument.type.element)));
      }
    }
  }
  instance.setLearningRate(0.01);
  instance.setValidCount(program.batch);
}

Error runAll(const Program &program, StringRef name, GpuRuntime &runtime, const GateOptions &options,
             std::vector<std::byte> &data) {
  Expected<std::unique_ptr<FunctionInstance>> bound = runtime.bind(*program.function(name.str()));
  if (!bound)
    return bound.takeError();
  FunctionInstance &instance = **bound;
  fillInputs(program, instance, options.seed);
  for (int64_t run = 1; run <= options.runs; ++run) {
    instance.setStep(run);
    if (Error error = runtime.team().run([&](int64_t rank) { return instance.run(rank); }))
      return error;
    for (const Result &result : instance.function().results)
      for (int64_t rank = 0; rank < program.ranks; ++rank) {
        const std::byte *from = instance.address(rank, result);
        data.insert(data.end(), from, from + result.type.bytes());
      }
  }
  if (Error error = runtime.fetchParameters())
    return error;
  for (int64_t rank = 0; rank < program.ranks; ++rank)
    for (size_t i = 0; i < program.parameters.size(); ++i) {
      const std::byte *from = runtime.parameters().address(rank, i);
      data.insert(data.end(), from, from + program.parameters[i].type.bytes());
    }
  return Error::success();
}

Expected<Outcome> runOnDouble(const Program &program, StringRef name, ArrayRef<char> image,
                              const GateOptions &options) {
  GpuSimOptions simulated;
  simulated.devices = int(program.ranks);
  simulated.scheduleSeed = options.seed;
  simulated.hangSeconds = 10;
  simulated.checkKernels = false; // the same kernels in every mutant
  Expected<std::unique_ptr<GpuSim>> sim = GpuSim::create(simulated);
  if (!sim)
    return sim.takeError();
  GpuLibraries libraries;
  libraries.api = (*sim)->api();
  GpuRuntimeOptions runtimeOptions;
  runtimeOptions.seed = options.seed;
  runtimeOptions.team.timeoutSeconds = 10;
  runtimeOptions.verify = false; // the double must notice what it can by itself
  Outcome outcome;
  {
    Expected<std::unique_ptr<GpuRuntime>> runtime =
        GpuRuntime::create(program, image, libraries, runtimeOptions);
    if (!runtime)
      return runtime.takeError();
    outcome.problem = toString(runAll(program, name, **runtime, options, outcome.data));
  }
  if (Error violation = (*sim)->check())
    outcome.problem = toString(std::move(violation));
  return outcome;
}

} // namespace

bool GateReport::passed() const {
  return all_of(survivors, [](const Survivor &survivor) { return survivor.proven; });
}

Expected<GateReport> runGate(const Program &program, StringRef name, ArrayRef<char> image,
                             const GateOptions &options) {
  const Function *function = program.function(name.str());
  if (!function)
    return createStringError("the program has no function '" + name + "'");
  Expected<Outcome> original = runOnDouble(program, name, image, options);
  if (!original)
    return original.takeError();
  if (!original->problem.empty())
    return createStringError("the program itself is not clean: " + original->problem);

  GateReport report;
  for (Mutant &mutant : mutantsOf(program, *function)) {
    GateReport::Counts &counts = report.kinds[mutant.kind];
    ++counts.mutants;
    Program mutated = program;
    for (Function &candidate : mutated.functions)
      if (candidate.name == name)
        candidate.commands = mutant.commands;
    bool caught = false;
    if (Error refused = verifyProgram(mutated)) {
      consumeError(std::move(refused));
      ++counts.byVerifier;
      caught = mutant.kind != "wait"; // there it only sees an event that is not used any more
    }
    Expected<Outcome> outcome = runOnDouble(mutated, name, image, options);
    if (!outcome)
      return outcome.takeError();
    const bool sameData = outcome->data == original->data;
    if (!outcome->problem.empty())
      ++counts.byDouble;
    else if (!sameData)
      ++counts.byData;
    caught |= !outcome->problem.empty() || !sameData;
    if (caught && !options.blind)
      continue;
    ++counts.survivors;
    report.survivors.push_back({mutant.text, sameData && sameOrder(function->commands, mutant)});
  }
  return report;
}

} // namespace phantom::mutation
