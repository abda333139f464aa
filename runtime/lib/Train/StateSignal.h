//===- StateSignal.h - SIGUSR1 asks for the state ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_STATESIGNAL_H
#define PHANTOM_RT_LIB_TRAIN_STATESIGNAL_H

#include <csignal>
#include <functional>
#include <thread>

namespace phantom::rt {

/// While it lives, SIGUSR1 has a thread call `show`. There is one at a time.
class StateSignal {
public:
  explicit StateSignal(std::function<void()> show);
  ~StateSignal();
  StateSignal(const StateSignal &) = delete;
  StateSignal &operator=(const StateSignal &) = delete;

private:
  struct sigaction old;
  std::thread thread;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_STATESIGNAL_H
