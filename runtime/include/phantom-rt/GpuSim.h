//===- GpuSim.h - A double of GPUs and their libraries ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Implements the table of GPU entry points (GpuApi.h) on the host, to test
// programs for GPUs without one. It is stricter than the hardware:
//  - The host cannot touch device memory, which starts as NaN.
//  - A queued command runs only when something waits for it, or when a seeded
//    scheduler chooses to run it.
//  - Every command has ranges that it reads and writes. Two commands that
//    touch the same bytes, one of them writing, must be ordered by a stream,
//    an event, a collective or a synchronisation: whatever order they ran in.
//    What one thread of the host has waited for is before all that any thread
//    queues later: races between those threads are for other tools.
//  - What NVIDIA's libraries leave undefined, and what makes them hang, is
//    a violation: a message that names the commands. The process goes on.
// It says nothing about speed, nor about NVIDIA's own bugs.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GPUSIM_H
#define PHANTOM_RT_GPUSIM_H

#include "phantom-rt/GpuApi.h"
#include "phantom-rt/KernelTwin.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace phantom::rt {

/// Which of the commands that may run does. Streams of a higher priority than the lowest are taken for those
/// of exchanges.
enum class SchedulePolicy : uint8_t {
  InOrder,       ///< each as soon as it can, in the order of the calls
  ComputeFirst,  ///< exchanges only where nothing else can run
  ExchangeFirst, ///< the other way round
  Priorities,    ///< streams have random priorities, which change at random points
  Random,        ///< any
};

/// The `call`-th call (from 1 on) of `entry` returns `status` and does nothing else.
struct CallFault {
  std::string entry; ///< as in GpuEntryPoints.def
  int64_t call = 1;
  int status = 1;
  int device = -1; ///< count only calls with this device current; -1: all
};

/// What goes wrong with the `collective`-th collective (from 1 on; 0: of joining, for dead ranks) of rank
/// `rank` of each communicator.
struct RankFault {
  int rank = 0;
  int64_t collective = 1;
  int64_t polls = 0; ///< how long a slow rank keeps its peers waiting, in steps of the scheduler
  int status = 6;    ///< what ncclCommGetAsyncError gives after an asynchronous error: ncclRemoteError
};

struct GpuFaults {
  std::vector<CallFault> calls;
  int64_t failedAllocation = 0;       ///< this allocation of device memory (from 1 on) is out of memory
  int64_t failedKernel = 0;           ///< this kernel to run (from 1 on) fails, and its device with it
  std::vector<RankFault> deadRanks;   ///< never arrive
  std::vector<RankFault> slowRanks;   ///< arrive late
  std::vector<RankFault> asyncErrors; ///< get an asynchronous error instead of a result
};

struct GpuSimOptions {
  int devices = 1;
  int64_t memoryBytes = int64_t(1) << 30; ///< of each device
  uint64_t scheduleSeed = 0;              ///< the same calls in the same order run the same way
  SchedulePolicy policy = SchedulePolicy::Random;
  GpuFaults faults;
  /// cuBLASLt proposes so many kernels for a product, and the modelled times of each are multiplied by its
  /// number here. They sum in different orders.
  std::vector<double> gemmTimes = {1, 0.5, 2};
  int ncclPolls = 2;       ///< how often a non-blocking communicator says ncclInProgress
  double hangSeconds = 60; ///< a blocking call that waits longer than this is taken for a hang
  int driverVersion = 13000;
  /// Run each kernel twice, in different orders of its threads, and compare.
  bool checkKernels = true;
};

/// What ran so far.
struct GpuSimCounts {
  int64_t kernels = 0, gemms = 0, copies = 0, collectives = 0;
  int64_t collectiveBytes = 0; ///< received from other ranks
  int64_t hostWaits = 0;       ///< calls that may block the host until the device has caught up
};

/// One at a time in a process: the entry points have no argument that says which.
class GpuSim {
public:
  static llvm::Expected<std::unique_ptr<GpuSim>> create(GpuSimOptions options);
  ~GpuSim();

  /// Every entry is set. They may be called by several threads at once.
  const gpu::GpuApi &api() const;

  /// The first violation, or success.
  llvm::Error check() const;
  /// All violations, the first hundred at most.
  std::vector<std::string> violations() const;
  /// What was created and not destroyed, and the commands that nobody waited for.
  llvm::Error checkLeaks() const;
  GpuSimCounts counts() const;

private:
  GpuSim();
  struct Implementation;
  std::unique_ptr<Implementation> implementation;
};

/// Bytes that cudaLibraryLoadData of the double takes for a library of these kernels. Valid for the rest of
/// the process.
std::vector<char> registerTwins(std::vector<KernelTwin> twins);

} // namespace phantom::rt

#endif // PHANTOM_RT_GPUSIM_H
