//===- FakeGpu.h - GPUs in host memory, for tests ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_CUDA_FAKEGPU_H
#define PHANTOM_TEST_CUDA_FAKEGPU_H

#include "phantom-rt/LoadGpuApi.h"

#include <functional>
#include <map>
#include <set>

namespace phantom::rt::test {

/// What a kernel does with the addresses of its buffers; once per launch.
struct FakeKernel {
  size_t buffers = 0;
  std::function<void(void *const *arguments)> run;
};

/// A table of entry points whose streams run lazily, when a stream is queried, and which fails where it is
/// told to. One at a time in a process.
class FakeGpu {
public:
  FakeGpu();
  ~FakeGpu();

  GpuLibraries libraries;

  int devices = 1, driverVersion = 13000, ncclVersion = 22809, capability = 9;
  /// The n-th call of an entry (from 1 on) returns a status and does nothing else.
  void fail(const std::string &entry, int64_t call, int status);
  int64_t calls(const std::string &entry) const;
  std::map<std::string, FakeKernel> kernels;
  std::set<int> absentRanks;      ///< never join a communicator
  std::set<int> deadRanks;        ///< their collectives never start
  std::map<int, int> asyncErrors; ///< what ncclCommGetAsyncError gives a rank once all have joined
  std::vector<int> epilogues;     ///< of the products that ran
  /// cuBLASLt proposes so many kernels for each product, and this many milliseconds pass where one runs.
  std::vector<double> gemmTimes = {1};
  std::vector<uint64_t> gemmKernels; ///< of the products that ran: 0 is the first that is proposed
  int64_t graphLaunches = 0;
  /// Memory, streams, events and so on that were made and not given back.
  int64_t live() const;
};

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_CUDA_FAKEGPU_H
