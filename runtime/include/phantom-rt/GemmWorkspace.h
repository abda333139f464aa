//===- GemmWorkspace.h - Memory that GEMMs take beside their operands ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GEMMWORKSPACE_H
#define PHANTOM_RT_GEMMWORKSPACE_H

#include "phantom-rt/GemmChoices.h"

#include <algorithm>

namespace phantom::rt {

/// Bytes on one rank.
struct GemmWorkspace {
  int64_t scratch = 0;   ///< ours, one buffer for all GEMMs of a function
  int64_t libraries = 0; ///< what libraries allocate by themselves, shared by all functions

  int64_t total() const { return scratch + libraries; }

  GemmWorkspace &operator+=(const GemmWorkspace &other) {
    scratch += other.scratch;
    libraries = std::max(libraries, other.libraries);
    return *this;
  }
};

/// What oneDNN takes from the heap for the time of an f32 GEMM of its own kernels (`dnnl_sgemm`, and `matmul`
/// where its implementation is "gemm:jit"), of all threads together: the blocks of both factors that it
/// copies. It cannot be asked for that memory. The sizes are those of oneDNN 2.6, exact with one thread where
/// AVX2 kernels copy, and else at least what is taken.
int64_t oneDnnHeapBytes(const GemmShape &shape, int64_t threads);

/// What OpenBLAS's sgemm touches of the buffer of its thread, and keeps: likewise, with the block sizes of
/// OpenBLAS 0.3.21 for Haswell, Zen and SkylakeX (`sgemm_p` and `sgemm_q` of its `gotoblas`).
int64_t openBlasBufferBytes(const GemmShape &shape);

} // namespace phantom::rt

#endif // PHANTOM_RT_GEMMWORKSPACE_H
