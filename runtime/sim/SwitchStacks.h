//===- SwitchStacks.h - Stacks that a thread can change to ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_SWITCHSTACKS_H
#define PHANTOM_SIM_SWITCHSTACKS_H

#include <cstddef>
#include <ucontext.h>

namespace phantom::rt::sim {

/// A place where execution is: on a stack of its own, or on that of a thread.
class Stack {
public:
  Stack() = default;
  Stack(const Stack &) = delete;
  Stack &operator=(const Stack &) = delete;
  ~Stack();

  /// Is the stack of the calling thread.
  void adoptCurrent();

  /// Calls `body(data)` when it is first changed to; it returns the stack to change to at its end.
  void begin(Stack &(*body)(void *), void *data);

private:
  friend void switchStacks(Stack &from, Stack &to);
  static void enter();

  ucontext_t context;
  std::byte *memory = nullptr;
  Stack &(*body)(void *) = nullptr;
  void *data = nullptr;
  [[maybe_unused]] void *sanitizerFiber = nullptr; ///< of ThreadSanitizer
  [[maybe_unused]] void *fakeStack = nullptr;      ///< of AddressSanitizer
  const void *bottom = nullptr;
  size_t bytes = 0;
  bool ended = false;
};

/// Stops here until somebody changes back to `from`.
void switchStacks(Stack &from, Stack &to);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_SWITCHSTACKS_H
