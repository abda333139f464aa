//===- Memory.h - What a run should need, and needed ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MEMORY_H
#define PHANTOM_RT_MEMORY_H

#include "phantom-rt/GemmWorkspace.h"
#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"

namespace phantom::rt {

/// Bytes of all ranks together.
struct MemoryNeed {
  int64_t parameters = 0;
  int64_t optimizer = 0;   ///< state of the optimizer
  int64_t activations = 0; ///< arenas: activations, gradients and scratch memory of kernels
  int64_t gemmWorkspace = 0;
  int64_t windows = 0;
  int64_t constants = 0;
  int64_t batch = 0; ///< inputs and targets

  int64_t total() const {
    return parameters + optimizer + activations + gemmWorkspace + windows + constants + batch;
  }
};

/// A function that a run has bound.
struct BoundFunction {
  const Function *function = nullptr;
  GemmWorkspace gemmWorkspace; ///< of each rank
};

/// What a run of these functions needs by the program. What the process needs without a model, and what is
/// taken for a moment to make the first values, or to write them, come on top.
MemoryNeed memoryNeed(const Program &program, llvm::ArrayRef<BoundFunction> functions);

/// The most memory, in bytes, that this process has had to itself as far as this was called: resident pages
/// without those of files, such as code, weights and data, which the system can drop and read again. 0 where
/// the system does not say.
///
/// The kernel keeps the peak of all resident pages. Here, the present pages of files are subtracted from it:
/// so this is to be called where memory is about to grow in another way, and before files are unmapped.
int64_t peakOwnBytes();

} // namespace phantom::rt

#endif // PHANTOM_RT_MEMORY_H
