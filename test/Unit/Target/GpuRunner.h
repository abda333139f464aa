//===- GpuRunner.h - GPU programs, run on the host in their order -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_TARGET_GPURUNNER_H
#define PHANTOM_TEST_TARGET_GPURUNNER_H

#include "phantom-rt/GpuKernels.h"
#include "phantom-rt/ParameterStore.h"

#include <memory>
#include <string>
#include <vector>

namespace phantom::test {

/// As Runner, through `phantom-to-cuda-pipeline`. Commands run one after the other, each on all ranks, with
/// twins for kernels: what is wrong with the order of streams does not show here.
class GpuRunner {
public:
  GpuRunner(const std::string &ir, const std::string &function);

  void set(const std::string &name, const std::vector<double> &values);
  void run();
  std::vector<double> get(const std::string &name, int64_t rank = 0) const;
  std::vector<double> parameter(const std::string &name, int64_t rank = 0) const;

  const rt::Program &program() const { return compiled.program; }
  /// Calls of kernels whose blocks have barriers.
  int64_t barrierLaunches() const { return barrierLaunchCount; }

private:
  struct RankMemory {
    std::vector<std::byte> arena;
    std::vector<std::vector<std::byte>> arguments, windows;
  };

  std::byte *address(int64_t rank, const rt::BufferRef &ref) const;
  void run(int64_t rank, const rt::GemmCommand &gemm) const;
  void run(int64_t rank, const rt::KernelCommand &kernel);
  void run(const rt::CollectiveCommand &collective) const;
  void move(const rt::CollectiveCommand &collective, bool permutes) const;

  rt::CompiledGpuProgram compiled;
  rt::LinkedTwins twins;
  const rt::Function *function;
  std::unique_ptr<rt::ParameterStore> store;
  std::vector<RankMemory> ranks;
  int64_t barrierLaunchCount = 0;
};

} // namespace phantom::test

#endif // PHANTOM_TEST_TARGET_GPURUNNER_H
