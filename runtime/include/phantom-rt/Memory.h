//===- Memory.h - What a training run should need, and needed ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MEMORY_H
#define PHANTOM_RT_MEMORY_H

#include "phantom-rt/Program.h"

namespace phantom::rt {

/// Bytes of all ranks together.
struct MemoryNeed {
  int64_t parameters = 0;
  int64_t optimizer = 0;   ///< state of the optimizer
  int64_t activations = 0; ///< arenas: activations, gradients and scratch memory
  int64_t windows = 0;
  int64_t constants = 0;
  int64_t batch = 0; ///< inputs and targets

  int64_t total() const { return parameters + optimizer + activations + windows + constants + batch; }
};

/// What training needs by the program. What the process needs without a model, and data files in the page
/// cache, come on top.
MemoryNeed memoryNeedOfTraining(const Program &program);

/// The most memory that this process has had resident so far, in bytes.
int64_t peakResidentBytes();

} // namespace phantom::rt

#endif // PHANTOM_RT_MEMORY_H
