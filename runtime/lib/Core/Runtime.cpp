//===- Runtime.cpp - A program loaded on a device -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Runtime.h"

#include "phantom-rt/Random.h"
#include "llvm/ADT/STLExtras.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

//===----------------------------------------------------------------------===//
// Runtime
//===----------------------------------------------------------------------===//

static RankTeamOptions teamOptions(const Program &program, RankTeamOptions options) {
  // Two barriers per run may be published on top of a function's exchanges.
  options.maximumOutstanding =
      std::max<int64_t>(options.maximumOutstanding, int64_t(program.exchanges.size()) + 4);
  return options;
}

Runtime::Runtime(const Program &program, const RankTeamOptions &team)
    : loaded(program), store(program), ranks(program.ranks, teamOptions(program, team)) {}

Runtime::~Runtime() = default;

Error Runtime::initializeParameters(uint64_t seed, StringRef file) {
  // A file replaces what is trained, whose sources need not even be readable then.
  const bool fromFile = !file.empty();
  auto starts = [&](const Parameter &parameter) { return !fromFile || !parameter.trainable; };
  Program started;
  started.ranks = program().ranks;
  llvm::copy_if(program().parameters, std::back_inserter(started.parameters), starts);
  Expected<ParameterInitializer> initializer = ParameterInitializer::prepare(started, seed);
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
  return fromFile ? store.load(file) : Error::success();
}

Error Runtime::gatherParameters() {
  if (!ranks.isDistributed())
    return Error::success();
  for (int64_t rank = 0; ranks.isRoot() && rank < ranks.size(); ++rank)
    if (Error error = store.has(rank) ? Error::success() : store.allocate(rank)) {
      // The others wait for this rank.
      ranks.communicator(ranks.leader()).abort(toString(std::move(error)));
      break;
    }
  return ranks.gather(
      {store.memoryOf(ranks.leader()), size_t(store.bytesPerRank())},
      [&](int64_t rank) { return store.memoryOf(rank); }, "the collection of the parameters");
}

//===----------------------------------------------------------------------===//
// FunctionInstance
//===----------------------------------------------------------------------===//

FunctionInstance::~FunctionInstance() = default;

void FunctionInstance::setLearningRate(double value) {
  for (size_t i = 0; i < bound.arguments.size(); ++i) {
    if (bound.arguments[i].role != Role::LearningRate)
      continue;
    const float narrow = float(value);
    if (bound.arguments[i].type.element == ElementType::F32)
      std::memcpy(shared[i], &narrow, sizeof(narrow));
    else
      std::memcpy(shared[i], &value, sizeof(value));
  }
}

/// Writes `value` to all arguments of the role, which are i64 scalars.
void FunctionInstance::setIntegers(Role role, int64_t value) {
  for (size_t i = 0; i < bound.arguments.size(); ++i)
    if (bound.arguments[i].role == role)
      std::memcpy(shared[i], &value, sizeof(value));
}

void FunctionInstance::setStep(int64_t value) { setIntegers(Role::Step, value); }
void FunctionInstance::setValidCount(int64_t value) { setIntegers(Role::ValidCount, value); }
void FunctionInstance::setSeed(uint64_t seed) {
  const std::array<uint32_t, 2> key = streamKey(seed, "dropout");
  setIntegers(Role::DropoutKey, int64_t(uint64_t(key[1]) << 32 | key[0]));
}

bool FunctionInstance::hasRole(Role role) const {
  return any_of(bound.arguments, [&](const Argument &argument) { return argument.role == role; });
}

const Result *FunctionInstance::result(Role role, StringRef name) const {
  for (const Result &candidate : bound.results)
    if (candidate.role == role && (name.empty() || candidate.name == name))
      return &candidate;
  return nullptr;
}

double FunctionInstance::scalar(int64_t rank, const Result &result) const {
  double value = 0;
  convertElements(storageType(result.type.element), address(rank, result), ElementType::F64, &value, 1);
  return value;
}

} // namespace phantom::rt
