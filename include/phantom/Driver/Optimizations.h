//===- Optimizations.h - Optimisations that can be left out ------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_DRIVER_OPTIMIZATIONS_H
#define PHANTOM_DRIVER_OPTIMIZATIONS_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

namespace phantom {

/// Which optimising passes run. A program computes the same without them, to rounding.
struct Optimizations {
  bool optimizeExchanges = true; ///< remove, share and merge exchanges
  bool mergeGemms = true;        ///< sums of products in accumulating GEMMs
  bool fuseEpilogues = true;     ///< biases and activations in GEMMs
  bool fuseElementwise = true;   ///< one kernel of several elementwise ops
  bool hoistUpdates = true;      ///< parameters are updated where their gradients are made
  bool elideCopies = true;       ///< what is exchanged is made in its window
  bool overlapExchanges = true;  ///< exchanges start early, and are waited for late
  bool planMemory = true;        ///< buffers that do not live at the same time share memory
};

/// The names that `disable` knows: those of the passes, without their prefix.
llvm::SmallVector<llvm::StringRef> optimizationNames();

/// Turns off the optimisation with this name; false if there is none.
bool disable(Optimizations &optimizations, llvm::StringRef name);

} // namespace phantom

#endif // PHANTOM_DRIVER_OPTIMIZATIONS_H
