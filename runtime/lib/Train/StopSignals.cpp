//===- StopSignals.cpp - A clean stop on SIGINT and SIGTERM ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StopSignals.h"

#include <atomic>

namespace phantom::rt {

static std::atomic<bool> stopRequested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "written by a signal handler");

static void noteStop(int) { stopRequested.store(true, std::memory_order_relaxed); }

StopSignals::StopSignals() {
  stopRequested.store(false);
  struct sigaction action{};
  action.sa_handler = noteStop;
  // Once only: an impatient second Ctrl-C ends the process.
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, &oldInterrupt);
  ::sigaction(SIGTERM, &action, &oldTerminate);
}

StopSignals::~StopSignals() {
  ::sigaction(SIGINT, &oldInterrupt, nullptr);
  ::sigaction(SIGTERM, &oldTerminate, nullptr);
}

bool StopSignals::requested() { return stopRequested.load(std::memory_order_relaxed); }

} // namespace phantom::rt
