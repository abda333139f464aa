//===- Gemm.h - GEMMs planned once, by oneDNN ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_GEMM_H
#define PHANTOM_RT_LIB_CPU_GEMM_H

#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <memory>

namespace phantom::rt {

/// The addresses of one GEMM.
struct GemmAddresses {
  std::byte *a = nullptr, *b = nullptr, *c = nullptr, *bias = nullptr;
};

/// All GEMMs of one rank: primitives are made here, on the rank's thread, and
/// shared by commands of equal shape. Addresses are fixed when a GEMM is added.
class GemmPlan {
public:
  GemmPlan();
  ~GemmPlan();

  /// Returns the number to `run` it by.
  llvm::Expected<size_t> add(const GemmCommand &command, const GemmAddresses &addresses);

  /// Allocates the scratch memory that the GEMMs added so far share.
  llvm::Error finish();

  /// Runs a GEMM on the calling thread and its OpenMP team. Allocates nothing.
  llvm::Error run(size_t gemm);

private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_GEMM_H
