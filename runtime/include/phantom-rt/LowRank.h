//===- LowRank.h - The low-rank start of a phantom layer -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LOWRANK_H
#define PHANTOM_RT_LOWRANK_H

#include "phantom-rt/HostTensor.h"
#include "phantom-rt/Matrix.h"
#include "llvm/Support/Error.h"

namespace phantom::rt {

/// Compressors and decompressors closest to a dense weight.
struct LowRankFactors {
  HostTensor compressors;   ///< [p, k, m_in]
  HostTensor decompressors; ///< [p_dst, p_src, k, m_out]; own blocks zero
};

/// For each source rank i: the off-diagonal blocks W[j, i], j != i, stacked to
/// ((p-1) m_out) x m_in, and their truncated SVD of rank k, split evenly
/// (the square root of the singular values to each side). `weight` is
/// [n_out, n_in], f32 or f64, row-major; p divides both; k <= min(m_out, m_in).
llvm::Expected<LowRankFactors> lowRankFactors(const HostTensor &weight, int64_t ranks, int64_t ghostWidth);

/// The blocks W[j, source], j != source, of a weight [n_out, n_in], stacked: [(p-1) m_out, m_in].
Matrix offDiagonalBlocks(const Matrix &weight, int64_t ranks, int64_t source);

} // namespace phantom::rt

#endif // PHANTOM_RT_LOWRANK_H
