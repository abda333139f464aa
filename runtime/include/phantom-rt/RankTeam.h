//===- RankTeam.h - The ranks of this process ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_RANKTEAM_H
#define PHANTOM_RT_RANKTEAM_H

#include "phantom-rt/ProcessGroup.h"
#include "phantom-rt/ThreadCommunicator.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
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
  /// Not null: this process has one rank, that of the group. It runs on the thread that calls, where the
  /// launcher of the processes has put it. Outlives the team.
  ProcessGroup *processes = nullptr;
};

/// The number of CPUs that this process may use.
int64_t allowedCpus();

/// The ranks that this process has, and the communicator between all. Either all ranks: a thread per rank,
/// pinned, each with its own OpenMP width. Or one rank of a group of processes. The thread that calls `run`
/// is the first of them, the leader, while it is in there, so that a call need not wake up a thread for it
/// and be woken up by it.
class RankTeam {
public:
  RankTeam(int64_t ranks, RankTeamOptions options);
  ~RankTeam();

  /// All ranks of the run.
  int64_t size() const { return ranks; }
  /// The first rank of this process: it does what is done once per process.
  int64_t leader() const { return processes ? processes->rank() : 0; }
  bool isHere(int64_t rank) const { return !processes || rank == processes->rank(); }
  /// Whether there are ranks in other processes.
  bool isDistributed() const { return processes && processes->size() > 1; }
  /// Whether rank 0 is here: its process writes what a run writes.
  bool isRoot() const { return leader() == 0; }

  /// Of a rank that is here.
  Communicator &communicator(int64_t rank) {
    return processes ? *ownCommunicator : threadGroup->communicator(rank);
  }

  /// Whether a rank of the present run has failed: what does not wait in the communicator must look.
  bool aborted() const { return processes ? processes->aborted() : threadGroup->aborted(); }

  /// Of `count` pieces of work that each process needs done once: the first of rank `rank`, and the first
  /// that is not its any more.
  std::pair<int64_t, int64_t> shareOf(int64_t count, int64_t rank) const {
    return isDistributed() ? std::pair(int64_t(0), count)
                           : std::pair(rank * count / size(), (rank + 1) * count / size());
  }

  // Between processes; nothing to do where all ranks are here. To be called by the leader, on all processes.

  /// Gives all processes the value that rank 0's has.
  template <typename T> llvm::Error broadcast(T &value, llvm::StringRef where) {
    static_assert(std::is_trivially_copyable_v<T>);
    return processes ? processes->broadcast({reinterpret_cast<std::byte *>(&value), sizeof(T)}, where)
                     : llvm::Error::success();
  }
  /// Gives all processes each rank's value; values[rank] is known where the rank is.
  template <typename T> llvm::Error allGather(std::vector<T> &values, llvm::StringRef where) {
    static_assert(std::is_trivially_copyable_v<T>);
    return processes ? processes->allGather(
                           {reinterpret_cast<std::byte *>(values.data()), values.size() * sizeof(T)}, where)
                     : llvm::Error::success();
  }
  /// See ProcessGroup::gather.
  llvm::Error gather(llvm::ArrayRef<std::byte> mine, llvm::function_ref<std::byte *(int64_t)> place,
                     llvm::StringRef where) {
    return processes ? processes->gather(mine, place, where) : llvm::Error::success();
  }
  llvm::Error meet(llvm::StringRef where) {
    return processes ? processes->barrier(where) : llvm::Error::success();
  }

  /// Calls job(rank) on the thread of every rank that is here and waits for all of them. If one
  /// fails, the communicator is aborted, so that the others leave too, and
  /// the first error is returned. If a rank does not leave within seconds after
  /// that, the process says so and exits with status 1: a thread cannot be
  /// ended from outside.
  llvm::Error run(std::function<llvm::Error(int64_t rank)> job);

private:
  class CallerAsRank;

  void serve(int64_t rank);
  llvm::ArrayRef<int> cpusOf(int64_t rank) const;
  void pin(int64_t rank) const;
  void runJob(int64_t rank);
  llvm::Error runOwnRank(const std::function<llvm::Error(int64_t)> &work);
  void fail(llvm::Error error);
  template <typename T> void waitWhile(const std::atomic<T> &value, T old) const;

  RankTeamOptions options;
  const int64_t ranks;
  ProcessGroup *const processes;
  std::vector<int> cpus;                         ///< that the process may use
  std::unique_ptr<Communicator> ownCommunicator; ///< of the rank among `processes`
  std::unique_ptr<ThreadGroup> threadGroup;      ///< without `processes`
  std::function<llvm::Error(int64_t)> job;
  std::atomic<uint64_t> generation{0}; ///< of `job` and `stopping`, which are written before it
  std::atomic<int64_t> running{0};     ///< ranks that are in `job`
  bool stopping = false;
  std::mutex mutex;         ///< of the next two
  std::string startProblem; ///< why the threads are not there
  bool failed = false;
  std::string firstError;
  std::vector<std::thread> threads; ///< of ranks from 1 on
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RANKTEAM_H
