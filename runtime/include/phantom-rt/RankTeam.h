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

#include <condition_variable>
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
/// communicator between them.
class RankTeam {
public:
  RankTeam(int64_t ranks, RankTeamOptions options);
  ~RankTeam();

  int64_t size() const { return int64_t(threads.size()); }
  Communicator &communicator(int64_t rank) { return group.communicator(rank); }

  /// Calls job(rank) on every rank's thread and waits for all of them. If one
  /// fails, the communicator is aborted, so that the others leave too, and
  /// the first error is returned. If a rank does not leave within seconds after
  /// that, the process says so and exits with status 1: a thread cannot be
  /// ended from outside.
  llvm::Error run(std::function<llvm::Error(int64_t rank)> job);

private:
  void serve(int64_t rank);
  void pin(int64_t rank) const;

  RankTeamOptions options;
  ThreadGroup group;
  std::mutex mutex;
  std::condition_variable wake, done;
  std::function<llvm::Error(int64_t)> job;
  uint64_t generation = 0;
  int64_t running = 0;
  bool stopping = false, failed = false;
  std::string firstError;
  std::vector<std::thread> threads;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RANKTEAM_H
