//===- NanKeeper.h - NaN that activations would hide ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_NANKEEPER_H
#define PHANTOM_RT_LIB_CPU_NANKEEPER_H

#include "GemmLibraries.h"

namespace phantom::rt {

/// The libraries' ReLU, ELU, sigmoid and tanh make numbers of NaN. Around a GEMM with such an activation,
/// this keeps what is NaN: the results of a row of the first factor with a NaN in it, and what was NaN where
/// the product is added to it. Weights are not looked at.
class NanKeeper {
public:
  /// Whether the GEMM would hide NaN.
  static bool isNeeded(const GemmCommand &command);

  /// Before the GEMM, which overwrites what it adds to. Of so many neighbouring `columns` of the first factor
  /// it looks at the first one: see columnsNanTogether. Allocates only where there is a NaN.
  void find(const GemmCommand &command, const GemmAddresses &addresses, int64_t columns);

  /// Behind it.
  void restore(const GemmCommand &command, const GemmAddresses &addresses) const;

private:
  std::vector<int64_t> rows, elements; ///< of the result
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_NANKEEPER_H
