//===- SwitchStacks.cpp - Stacks that a thread can change to --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SwitchStacks.h"

#include "llvm/Support/Compiler.h"
#include "llvm/Support/ErrorHandling.h"

#include <pthread.h>
#include <sys/mman.h>

// ThreadSanitizer and AddressSanitizer must be told of other stacks.
#if LLVM_THREAD_SANITIZER_BUILD
#include <sanitizer/tsan_interface.h>
#endif
#if LLVM_ADDRESS_SANITIZER_BUILD
#include <sanitizer/common_interface_defs.h>
#endif

namespace phantom::rt::sim {

static constexpr size_t stackBytes = 64 * 1024, guardBytes = 4096;

// Which of them begins: makecontext passes no pointers.
static thread_local Stack *beginning = nullptr;

Stack::~Stack() {
#if LLVM_THREAD_SANITIZER_BUILD
  if (memory && sanitizerFiber)
    __tsan_destroy_fiber(sanitizerFiber);
#endif
  if (memory)
    ::munmap(memory, guardBytes + stackBytes);
}

void Stack::adoptCurrent() {
#if LLVM_THREAD_SANITIZER_BUILD
  sanitizerFiber = __tsan_get_current_fiber();
#endif
  pthread_attr_t attributes;
  void *lowest = nullptr;
  if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
    ::pthread_attr_getstack(&attributes, &lowest, &bytes);
    ::pthread_attr_destroy(&attributes);
  }
  bottom = lowest;
}

void Stack::begin(Stack &(*newBody)(void *), void *newData) {
  if (!memory) {
    void *mapping =
        ::mmap(nullptr, guardBytes + stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED || ::mprotect(mapping, guardBytes, PROT_NONE) != 0)
      llvm::report_bad_alloc_error("no memory for the stacks of a kernel's threads");
    memory = static_cast<std::byte *>(mapping);
    bottom = memory + guardBytes;
    bytes = stackBytes;
  }
#if LLVM_THREAD_SANITIZER_BUILD
  if (sanitizerFiber)
    __tsan_destroy_fiber(sanitizerFiber);
  sanitizerFiber = __tsan_create_fiber(0);
#endif
  body = newBody;
  data = newData;
  ended = false;
  fakeStack = nullptr;
  ::getcontext(&context);
  context.uc_stack.ss_sp = memory + guardBytes;
  context.uc_stack.ss_size = stackBytes;
  context.uc_link = nullptr;
  ::makecontext(&context, &Stack::enter, 0);
}

void Stack::enter() {
  Stack *self = beginning;
#if LLVM_ADDRESS_SANITIZER_BUILD
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
  Stack &next = self->body(self->data);
  self->ended = true;
  switchStacks(*self, next);
}

void switchStacks(Stack &from, Stack &to) {
  beginning = &to;
#if LLVM_ADDRESS_SANITIZER_BUILD
  __sanitizer_start_switch_fiber(from.ended ? nullptr : &from.fakeStack, to.bottom, to.bytes);
#endif
#if LLVM_THREAD_SANITIZER_BUILD
  __tsan_switch_to_fiber(to.sanitizerFiber, 0);
#endif
  ::swapcontext(&from.context, &to.context);
#if LLVM_ADDRESS_SANITIZER_BUILD
  __sanitizer_finish_switch_fiber(from.fakeStack, nullptr, nullptr);
#endif
}

} // namespace phantom::rt::sim
