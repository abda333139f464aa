//===- StateSignal.cpp - SIGUSR1 asks for the state -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StateSignal.h"

#include <atomic>
#include <semaphore.h>

namespace phantom::rt {

// A handler may post a semaphore, and little else. One that is late finds it still there.
static sem_t requests;
static std::atomic<bool> isAsked{false}, isEnding{false};
static_assert(std::atomic<bool>::is_always_lock_free, "written by a signal handler");

static void noteRequest(int) {
  isAsked.store(true);
  ::sem_post(&requests);
}

static void serve(const std::function<void()> &show) {
  for (;;) {
    // Other signals interrupt the wait.
    if (::sem_wait(&requests) != 0)
      continue;
    if (isAsked.exchange(false))
      show();
    if (isEnding.load())
      return;
  }
}

StateSignal::StateSignal(std::function<void()> show) {
  isAsked.store(false);
  isEnding.store(false);
  ::sem_init(&requests, /*pshared=*/0, /*value=*/0);
  thread = std::thread([show = std::move(show)] { serve(show); });
  struct sigaction action{};
  action.sa_handler = noteRequest;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGUSR1, &action, &old);
}

StateSignal::~StateSignal() {
  ::sigaction(SIGUSR1, &old, nullptr);
  isEnding.store(true);
  ::sem_post(&requests);
  thread.join();
}

} // namespace phantom::rt
