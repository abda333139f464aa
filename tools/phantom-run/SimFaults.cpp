//===- SimFaults.cpp - Faults of the double of GPUs -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SimFaults.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;

namespace phantom::run {

constexpr int64_t defaultSlowness = 1000;

/// "R@N", and ":STEPS" where the fault has them. Whether it is one.
static bool readRankFault(StringRef text, int64_t ranks, int64_t leastCollective, bool isSlow,
                          std::vector<rt::RankFault> &faults) {
  rt::RankFault fault;
  fault.polls = isSlow ? defaultSlowness : 0;
  auto [where, steps] = text.split(':');
  auto [rank, collective] = where.split('@');
  if (rank.getAsInteger(10, fault.rank) || collective.getAsInteger(10, fault.collective))
    return false;
  const bool hasSteps = text.contains(':');
  if (hasSteps && (!isSlow || steps.getAsInteger(10, fault.polls) || fault.polls < 1))
    return false;
  faults.push_back(fault);
  return fault.rank >= 0 && fault.rank < ranks && fault.collective >= leastCollective;
}

/// A number from 1 on; whether it is one.
static bool readCount(StringRef text, int64_t &count) { return !text.getAsInteger(10, count) && count >= 1; }

static bool readCallFault(StringRef text, std::vector<rt::CallFault> &faults) {
  auto [entry, call] = text.split('@');
  rt::CallFault fault;
  fault.entry = entry.str();
  faults.push_back(fault);
  return !entry.empty() && readCount(call, faults.back().call);
}

static bool readFault(StringRef kind, StringRef text, int64_t ranks, rt::GpuFaults &faults) {
  if (kind == "dead-rank")
    return readRankFault(text, ranks, /*leastCollective=*/0, /*isSlow=*/false, faults.deadRanks);
  if (kind == "slow-rank")
    return readRankFault(text, ranks, /*leastCollective=*/1, /*isSlow=*/true, faults.slowRanks);
  if (kind == "async-error")
    return readRankFault(text, ranks, /*leastCollective=*/1, /*isSlow=*/false, faults.asyncErrors);
  if (kind == "failed-allocation")
    return readCount(text, faults.failedAllocation);
  if (kind == "failed-kernel")
    return readCount(text, faults.failedKernel);
  return kind == "failed-call" && readCallFault(text, faults.calls);
}

Expected<rt::GpuFaults> parseSimFaults(StringRef text, int64_t ranks) {
  rt::GpuFaults faults;
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  for (StringRef part : parts) {
    auto [kind, value] = part.split('=');
    if (!readFault(kind, value, ranks, faults))
      return createStringError("'" + part + "' is no fault of a run on " + Twine(ranks) +
                               " ranks; use dead-rank=R@N, slow-rank=R@N[:STEPS], async-error=R@N, "
                               "failed-allocation=N, failed-kernel=N or failed-call=ENTRY@N");
  }
  return faults;
}

} // namespace phantom::run
