//===- PlantedRace.cpp - A data race on purpose ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Two ranks exchange by an all-gather whose wait is skipped, so that each reads
// the other's slot while it may still be written. ThreadSanitizer must say so:
// this shows that its silence about the other tests means something.

#include "phantom-rt/CpuRuntime.h"
#include "llvm/Support/raw_ostream.h"

using namespace phantom::rt;

namespace {

struct SkipWaits final : FaultInjector {
  bool skipWait(int64_t, const BoundExchange &) override { return true; }
};

constexpr int64_t elements = 4096;

void produce(void *const *arguments) {
  auto *slot = static_cast<float *>(arguments[0]);
  for (int64_t i = 0; i < elements; ++i)
    slot[i] += 1;
}

void consume(void *const *arguments) {
  const auto *window = static_cast<const float *>(arguments[0]);
  float sum = 0;
  for (int64_t i = 0; i < 2 * elements; ++i)
    sum += window[i];
  *static_cast<float *>(arguments[1]) = sum;
}

} // namespace

int main() {
  constexpr int64_t slot = elements * int64_t(sizeof(float));
  Executable executable;
  Program &program = executable.program;
  program.ranks = 2;
  program.batch = 1;
  program.windows = {{"window", 2 * slot}};
  Exchange gather;
  gather.name = "gather";
  gather.inner = elements;
  program.exchanges = {gather};
  program.kernels = {"produce", "consume"};
  executable.kernels = {produce, consume};
  Function function;
  function.name = "infer";
  function.arenaBytes = 64;
  const BufferRef window{Region::Window, 0, 0, 0};
  function.commands = {KernelCommand{0, {{Region::Window, 0, 0, slot}}, "produce"}, ExchangeStartCommand{0},
                       ExchangeWaitCommand{0},
                       KernelCommand{1, {window, {Region::Arena, 0, 0, 0}}, "consume"}};
  program.functions = {function};

  SkipWaits faults;
  CpuRuntimeOptions options;
  options.team.faults = &faults;
  auto runtime = CpuRuntime::create(executable, options);
  if (!runtime) {
    llvm::errs() << llvm::toString(runtime.takeError()) << "\n";
    return 1;
  }
  auto instance = (*runtime)->bind(program.functions[0]);
  if (!instance) {
    llvm::errs() << llvm::toString(instance.takeError()) << "\n";
    return 1;
  }
  for (int i = 0; i < 200; ++i)
    if (llvm::Error error = (*runtime)->team().run([&](int64_t rank) { return (*instance)->run(rank); })) {
      llvm::errs() << llvm::toString(std::move(error)) << "\n";
      return 1;
    }
  return 0;
}
