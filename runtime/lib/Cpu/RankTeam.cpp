//===- RankTeam.cpp - The ranks of this process ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/RankTeam.h"

#include "phantom-rt/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <pthread.h>
#include <sched.h>
#include <system_error>

// libgomp's, which oneDNN runs on. The width is a per-thread setting, and a
// thread that is not told would make a team of all cores.
extern "C" void omp_set_num_threads(int); // NOLINT(readability-identifier-naming)
extern "C" int omp_get_max_threads();     // NOLINT(readability-identifier-naming)

using namespace llvm;

namespace phantom::rt {

static std::vector<int> allowedCpuList() {
  std::vector<int> cpus;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set))
        cpus.push_back(cpu);
  if (cpus.empty())
    cpus.push_back(0);
  return cpus;
}

int64_t allowedCpus() { return int64_t(allowedCpuList().size()); }

static ThreadGroupOptions groupOptions(int64_t ranks, const RankTeamOptions &options) {
  return {options.timeoutSeconds, ranks <= allowedCpus(), options.maximumOutstanding, options.faults};
}

RankTeam::RankTeam(int64_t ranks, RankTeamOptions teamOptions)
    : options(teamOptions), ranks(ranks), processes(teamOptions.processes), cpus(allowedCpuList()) {
  if (processes) {
    ownCommunicator = createProcessCommunicator(*processes);
    return;
  }
  threadGroup = std::make_unique<ThreadGroup>(ranks, groupOptions(ranks, teamOptions));
  // The standard library reports errors of threads by exceptions; none leaves this function.
  try {
    for (int64_t rank = 1; rank < ranks; ++rank)
      threads.emplace_back([this, rank] { serve(rank); });
  } catch (const std::system_error &error) {
    startProblem =
        ("cannot start a thread for each of " + Twine(ranks) + " ranks: " + error.code().message() +
         "; use fewer ranks, or raise the limits of memory or of threads")
            .str();
  }
}

RankTeam::~RankTeam() {
  stopping = true;
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

/// The CPUs that the rank is bound to.
ArrayRef<int> RankTeam::cpusOf(int64_t rank) const {
  const int64_t count = int64_t(cpus.size()), ranks = size();
  const int64_t begin = rank * count / ranks, end = std::max(begin + 1, (rank + 1) * count / ranks);
  return ArrayRef(cpus).slice(begin, end - begin);
}

void RankTeam::pin(int64_t rank) const {
  if (!options.bind)
    return;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpusOf(rank))
    CPU_SET(cpu, &set);
  // A refusal costs speed only.
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
}

/// Makes the calling thread like that of the leader, and then as it was.
class RankTeam::CallerAsRank {
public:
  explicit CallerAsRank(const RankTeam &team) : width(omp_get_max_threads()) {
    // A single rank has all CPUs, as the caller has, and a launcher has put its process where it wants it.
    bound = team.options.bind && !team.processes && team.size() > 1 && !isInPlace(team) &&
            ::pthread_getaffinity_np(::pthread_self(), sizeof(before), &before) == 0;
    if (bound)
      team.pin(0);
    omp_set_num_threads(int(team.options.threadsPerRank));
  }
  ~CallerAsRank() {
    omp_set_num_threads(width);
    if (bound)
      (void)::pthread_setaffinity_np(::pthread_self(), sizeof(before), &before);
  }
  CallerAsRank(const CallerAsRank &) = delete;
  CallerAsRank &operator=(const CallerAsRank &) = delete;

private:
  /// Whether the caller is on the leader's CPU as it is, where the other ranks, bound to theirs, leave it:
  /// binding it costs as much as a small model's layer. Threads that it starts would not be bound.
  static bool isInPlace(const RankTeam &team) {
    return team.options.threadsPerRank == 1 && team.size() <= int64_t(team.cpus.size()) &&
           is_contained(team.cpusOf(0), ::sched_getcpu());
  }

  int width;
  bool bound;
  cpu_set_t before;
};

/// Polls for some microseconds, where every rank has a core, and then sleeps.
template <typename T> void RankTeam::waitWhile(const std::atomic<T> &value, T old) const {
  if (size() <= int64_t(cpus.size()))
    for (int i = 0; i < 4096; ++i) {
      if (value.load(std::memory_order_acquire) != old)
        return;
      pauseCpu();
    }
  value.wait(old, std::memory_order_acquire);
}

void RankTeam::fail(Error error) {
  const std::string text = toString(std::move(error));
  threadGroup->abort(text);
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (failed)
      return;
    failed = true;
    firstError = threadGroup->reason();
  }
  // The others are out of their waits at once; only a kernel may take its time.
  const auto grace = std::chrono::duration<double>(1 + std::min(options.timeoutSeconds, 10.0));
  const auto begin = std::chrono::steady_clock::now();
  while (int64_t others = running.load(std::memory_order_acquire) - 1) {
    if (std::chrono::steady_clock::now() - begin > grace) {
      errs() << "error: " << firstError << "\n"
             << "error: " << others << " rank(s) did not stop after that; giving up\n";
      std::_Exit(1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

void RankTeam::runJob(int64_t rank) {
  if (Error error = job(rank))
    fail(std::move(error));
  if (running.fetch_sub(1, std::memory_order_acq_rel) == 1)
    running.notify_all();
}

void RankTeam::serve(int64_t rank) {
  pin(rank);
  omp_set_num_threads(int(options.threadsPerRank));
  for (uint64_t served = 0;; ++served) {
    waitWhile(generation, served);
    if (stopping)
      return;
    runJob(rank);
  }
}

/// A failure is for good: nobody knows what is still under way between the processes.
Error RankTeam::runOwnRank(const std::function<Error(int64_t)> &work) {
  Error error = work(processes->rank());
  if (!error)
    return Error::success();
  processes->abort(toString(std::move(error)));
  return makeError(processes->reason());
}

Error RankTeam::run(std::function<Error(int64_t)> work) {
  if (!startProblem.empty())
    return makeError(startProblem);
  const CallerAsRank guard(*this);
  if (processes)
    return runOwnRank(work);
  if (threadGroup->aborted())
    threadGroup->reset();
  job = std::move(work);
  failed = false;
  running.store(size(), std::memory_order_relaxed);
  generation.fetch_add(1, std::memory_order_release);
  generation.notify_all();
  runJob(0);
  while (int64_t others = running.load(std::memory_order_acquire))
    waitWhile(running, others);
  job = nullptr;
  return failed ? makeError(firstError) : Error::success();
}

} // namespace phantom::rt
