//===- ProcessGroup.h - The processes of one run ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PROCESSGROUP_H
#define PHANTOM_RT_PROCESSGROUP_H

#include "phantom-rt/Communicator.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <memory>
#include <optional>
#include <vector>

namespace phantom::rt {

/// Which of a run's processes this one is, and where they meet.
struct ProcessPlace {
  std::string host; ///< of rank 0
  uint16_t port = 0;
  int64_t rank = 0;
  std::optional<int64_t> size; ///< processes of the run; nothing where nobody has said it
  int64_t localRank = 0;       ///< among the processes of this machine
};

/// What all processes of a run must have alike: names and values, in an order that is the same everywhere.
using Agreement = std::vector<std::pair<std::string, std::string>>;

struct ProcessGroupOptions {
  ProcessPlace place; ///< with a size
  Agreement agreement;
  /// Of every wait for another process; it begins anew whenever some bytes come.
  double timeoutSeconds = 120;
};

/// The processes of a run, one per rank. All make the same calls in the same order; `where` names the place
/// in errors. A process that ends, calls `abort`, comes too late or makes another call than the others makes
/// all of them fail, in their present or next call, with a message that names it. To be used by one thread.
class ProcessGroup {
public:
  virtual ~ProcessGroup();

  int64_t rank() const { return myRank; }
  int64_t size() const { return processes; }
  int64_t localRank() const { return myLocalRank; }
  bool isRoot() const { return myRank == 0; }

  /// Returns when all processes are here.
  llvm::Error barrier(llvm::StringRef where);

  /// Rank 0's bytes, on all processes.
  llvm::Error broadcast(llvm::MutableArrayRef<std::byte> bytes, llvm::StringRef where);

  /// Copies rank r's `mine`, which has the same size everywhere, to place(r) on rank 0, for all r but 0.
  llvm::Error gather(llvm::ArrayRef<std::byte> mine, llvm::function_ref<std::byte *(int64_t)> place,
                     llvm::StringRef where);

  /// `parts` has a part of the same size for each rank: fills in those of the others.
  llvm::Error allGather(llvm::MutableArrayRef<std::byte> parts, llvm::StringRef where);

  /// Makes all processes fail with `reason`; the first reason counts.
  virtual void abort(llvm::StringRef reason) = 0;

  /// Whether the group has failed; sees what came from other processes since the last call, without waiting.
  virtual bool aborted() = 0;
  virtual std::string reason() const = 0;

  /// Where long waits are shown; null: nowhere.
  RankPosition *position = nullptr;

protected:
  enum class Call : uint8_t { Barrier, Broadcast, Gather, AllGather };

  /// All processes' `up` goes to rank 0, there to place(r); then rank 0's `down` to all.
  struct Round {
    Call call;
    llvm::StringRef where;
    llvm::ArrayRef<std::byte> up;
    llvm::function_ref<std::byte *(int64_t)> place;
    llvm::MutableArrayRef<std::byte> down;
  };

  ProcessGroup(int64_t rank, int64_t size, int64_t localRank)
      : myRank(rank), processes(size), myLocalRank(localRank) {}
  virtual llvm::Error run(const Round &round) = 0;

private:
  int64_t myRank, processes, myLocalRank;
};

/// Connects the processes over TCP: rank 0 listens at the place, the others connect, and try again until the
/// deadline. Returns when all are there, and have the same agreement.
llvm::Expected<std::unique_ptr<ProcessGroup>> joinProcessGroup(const ProcessGroupOptions &options);

/// The communicator of this process's rank. Exchanges go over the group when they are waited for; each
/// process has windows of its own. `group` outlives it.
std::unique_ptr<Communicator> createProcessCommunicator(ProcessGroup &group);

/// What a launcher (Open MPI, MPICH and those like it, Slurm, torchrun) tells the processes that it starts.
struct LauncherPlace {
  int64_t rank = 0, size = 1;
  std::optional<int64_t> localRank;
};

/// Reads variables of the environment; nothing where no launcher has set them.
llvm::Expected<std::optional<LauncherPlace>>
readLauncher(llvm::function_ref<std::optional<std::string>(llvm::StringRef name)> variable);

/// "HOST:PORT", "[ADDRESS]:PORT", or "env" for MASTER_ADDR and MASTER_PORT: sets the host and the port.
llvm::Error parseRendezvous(llvm::StringRef text,
                            llvm::function_ref<std::optional<std::string>(llvm::StringRef name)> variable,
                            ProcessPlace &place);

} // namespace phantom::rt

#endif // PHANTOM_RT_PROCESSGROUP_H
