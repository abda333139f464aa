//===- KernelTwin.h - GPU kernels as host functions ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler makes from each GPU kernel a host function with the same body:
// its twin. The double of a GPU (GpuSim.h) runs it once for each thread.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_KERNELTWIN_H
#define PHANTOM_RT_KERNELTWIN_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace phantom::rt {

/// What the code of one thread of a twin sees: where it is in the grid, and its block's workgroup memory.
/// The layout is known to the compiler.
struct TwinThread {
  int64_t block = 0, blocks = 1;
  int64_t thread = 0, threads = 1;
  std::byte *workgroup = nullptr;
  void *scheduler = nullptr;
};

/// Runs one thread: `arguments` are the addresses of the kernel's buffers, as for a KernelFunction.
using TwinFunction = void (*)(void *const *arguments, TwinThread *thread);

/// What a kernel does with the first `bytes` of a buffer; it touches nothing else of it.
struct TwinArgument {
  bool reads = false, writes = false;
  int64_t bytes = 0;
};

struct KernelTwin {
  std::string name;
  TwinFunction run = nullptr;
  bool hasBarrier = false; ///< whether `run` calls phantom_twin_barrier
  int64_t workgroupBytes = 0;
  std::vector<TwinArgument> arguments;
};

} // namespace phantom::rt

/// Called by a twin where the kernel has a barrier: returns when all threads of the block have called it.
extern "C" void phantom_twin_barrier(phantom::rt::TwinThread *thread);

#endif // PHANTOM_RT_KERNELTWIN_H
