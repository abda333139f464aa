//===- Gemm.h - The GEMMs of a rank, planned once --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_GEMM_H
#define PHANTOM_RT_LIB_CPU_GEMM_H

#include "GemmLibraries.h"

namespace phantom::rt {

/// All GEMMs of one rank: made here, on the rank's thread. Addresses are fixed when a GEMM is added.
class GemmPlan {
public:
  /// `threads`: of each GEMM.
  explicit GemmPlan(int64_t threads);
  ~GemmPlan();

  /// Returns the number to `run` it by. `kernel` can compute the command. `nanColumns`: see
  /// columnsNanTogether.
  llvm::Expected<size_t> add(const GemmCommand &command, const GemmAddresses &addresses, GemmKernel kernel,
                             int64_t nanColumns = 1);

  /// Allocates the scratch memory that the GEMMs added so far share.
  llvm::Error finish();

  /// What the GEMMs added so far take.
  GemmWorkspace workspace() const;

  /// To be called before the first run, and whenever constant weights have other values.
  llvm::Error prepareWeights();

  /// A GEMM takes its first factor from there from now on.
  void setA(size_t gemm, std::byte *a);

  /// Runs a GEMM on the calling thread and its OpenMP team. Allocates nothing.
  llvm::Error run(size_t gemm);

private:
  struct Implementation;
  int64_t threads;
  std::unique_ptr<Implementation> implementation;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_GEMM_H
