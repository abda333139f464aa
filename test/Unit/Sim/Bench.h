//===- Bench.h - What the tests of the double share -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_SIM_BENCH_H
#define PHANTOM_TEST_SIM_BENCH_H

#include "phantom-rt/GpuRuntime.h"
#include "phantom-rt/GpuSim.h"
#include "gtest/gtest.h"

#include <functional>
#include <string>
#include <vector>

namespace phantom::rt::test {

/// Statuses and flags of the GPU libraries that the tests name.
enum : int {
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorNotReady = 600,
  cudaErrorLaunchFailure = 719,
  cudaErrorCaptureUnsupported = 900,
  cudaErrorCaptureInvalidated = 901,
  toDevice = 1,
  toHost = 2,
  onDevice = 3,
};

/// Where a test runs that both must pass.
enum class Machine { Double, Gpu };
std::string nameOfMachine(const testing::TestParamInfo<Machine> &info);

/// A double or a GPU, and short forms of calls that must succeed.
class Bench {
public:
  explicit Bench(GpuSimOptions options = {});
  /// A double in place of a GPU that is not there, with `problem` set.
  explicit Bench(Machine machine);

  const gpu::GpuApi *operator->() const { return &api(); }
  const gpu::GpuApi &api() const { return sim ? sim->api() : libraries.api; }

  gpu::Stream stream(int priority = 0);
  gpu::Event event(unsigned flags = 2);
  float *device(size_t count);
  float *pinned(size_t count);
  /// Device memory with these numbers in it.
  float *device(gpu::Stream stream, const std::vector<float> &values);
  /// Waits for the stream and reads.
  std::vector<float> read(gpu::Stream stream, const float *memory, size_t count);
  void record(gpu::Event event, gpu::Stream stream);
  void wait(gpu::Stream stream, gpu::Event event);
  /// What follows on `later` runs after what `earlier` has so far.
  void order(gpu::Stream earlier, gpu::Stream later);
  void synchronize(gpu::Stream stream);

  /// The violations, one a line; "": none.
  std::string violations() const;

  std::unique_ptr<GpuSim> sim; ///< null: a GPU
  GpuLibraries libraries;      ///< of the GPU
  std::string problem;         ///< why there is none
};

/// The message of an error; "" for success.
std::string message(llvm::Error error);

/// Expects exactly one violation, which contains `part`.
void expectViolation(const Bench &bench, const std::string &part);

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_SIM_BENCH_H
