//===- RankTeam.cpp - One pinned thread per rank --------------------------===//
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

// libgomp's, which oneDNN runs on. The width is a per-thread setting, and a
// thread that is not told would make a team of all cores.
extern "C" void omp_set_num_threads(int); // NOLINT(readability-identifier-naming)

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
    : options(teamOptions), group(ranks, groupOptions(ranks, teamOptions)) {
  for (int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([this, rank] { serve(rank); });
}

RankTeam::~RankTeam() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void RankTeam::pin(int64_t rank) const {
  if (!options.bind)
    return;
  const std::vector<int> cpus = allowedCpuList();
  const int64_t count = int64_t(cpus.size()), ranks = group.size();
  const int64_t begin = rank * count / ranks, end = std::max(begin + 1, (rank + 1) * count / ranks);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int64_t i = begin; i < end; ++i)
    CPU_SET(cpus[i], &set);
  // A refusal costs speed only.
  (void)::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set);
}

void RankTeam::serve(int64_t rank) {
  pin(rank);
  omp_set_num_threads(int(options.threadsPerRank));

  uint64_t served = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return stopping || generation != served; });
      if (stopping)
        return;
      served = generation;
    }
    Error error = job(rank);
    std::string text;
    const bool bad = bool(error);
    if (bad) {
      text = toString(std::move(error));
      group.abort(text);
    } else {
      consumeError(std::move(error));
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (bad && !failed) {
      failed = true;
      firstError = group.reason();
    }
    if (--running == 0 || bad)
      done.notify_all();
  }
}

Error RankTeam::run(std::function<Error(int64_t)> work) {
  std::unique_lock<std::mutex> lock(mutex);
  if (group.aborted())
    group.reset();
  job = std::move(work);
  failed = false;
  running = size();
  ++generation;
  wake.notify_all();
  done.wait(lock, [&] { return running == 0 || failed; });
  if (running > 0) {
    // The others are out of their waits at once; only a kernel may take its time.
    const auto grace = std::chrono::duration<double>(1 + std::min(options.timeoutSeconds, 10.0));
    if (!done.wait_for(lock, grace, [&] { return running == 0; })) {
      errs() << "error: " << firstError << "\n"
             << "error: " << running << " rank(s) did not stop after that; giving up\n";
      std::_Exit(1);
    }
  }
  job = nullptr;
  return failed ? makeError(firstError) : Error::success();
}

} // namespace phantom::rt
