//===- RankTeam.h - One pinned thread per rank -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_RANKTEAM_H
#define PHANTOM_RT_RANKTEAM_H

#include "phantom-rt/ThreadCommunicator.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace phantom::rt {

struct RankTeamOptions {
  bool bind = true; ///< pin each rank to its share of the allowed CPUs
  /// OpenMP threads of a rank's GEMMs. More than one pays only on idle cores: libgomp's threads spin, and on
  /// a busy machine they take turns with those that work.
  int64_t threadsPerRank = 1;
  double timeoutSeconds = 120;
  FaultInjector *faults = nullptr;
  int64_t maximumOutstanding = 256;
};

/// The number of CPUs that this process may use.
int64_t allowedCpus();

/// A thread per rank, pinned, each with its own OpenMP width, and the
/// communicator between them. The thread that calls `run` is rank 0 while it is
/// in there, so that a call need not wake up a thread for it and be woken up by it.
class RankTeam {
public:
  RankTeam(int64_t ranks, RankTeamOptions options);
  ~RankTeam();

  int64_t size() const { return group.size(); }
  Communicator &communicator(int64_t rank) { return group.communicator(rank); }

  /// Whether a rank of the present run has failed: what does not wait in the communicator must look.
  bool aborted() const { return group.aborted(); }

  /// Calls job(rank) on every rank's thread and waits for all of them. If one
  /// fails, the communicator is aborted, so that the others leave too, and
  /// the first error is returned. If a rank does not leave within seconds after
  /// that, the process says so and exits with status 1: a thread cannot be
  /// ended from outside.
  llvm::Error run(std::function<llvm::Error(int64_t rank)> job);

private:
  class CallerAsRank;

  void serve(int64_t rank);
  void pin(int64_t rank) const;
  void runJob(int64_t rank);
  void fail(llvm::Error error);
  template <typename T> void waitWhile(const std::atomic<T> &value, T old) const;

  RankTeamOptions options;
  std::vector<int> cpus; ///< that the process may use
  ThreadGroup group;
  std::function<llvm::Error(int64_t)> job;
  std::atomic<uint64_t> generation{0}; ///< of `job` and `stopping`, which are written before it
  std::atomic<int64_t> running{0};     ///< ranks that are in `job`
  bool stopping = false;
  std::mutex mutex; ///< of the next two
  bool failed = false;
  std::string firstError;
  std::vector<std::thread> threads; ///< of ranks from 1 on
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RANKTEAM_H
