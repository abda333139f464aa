//===- Optimizations.cpp - Optimisations that can be left out ---- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Driver/Optimizations.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace llvm;
using phantom::Optimizations;

namespace {

struct Entry {
  StringRef name;
  bool Optimizations::*enabled;
};

constexpr Entry kEntries[] = {
    // in the order in which they run
    {"optimize-exchanges", &Optimizations::optimizeExchanges},
    {"merge-gemms", &Optimizations::mergeGemms},
    {"fuse-epilogues", &Optimizations::fuseEpilogues},
    {"fuse-elementwise", &Optimizations::fuseElementwise},
    {"hoist-updates", &Optimizations::hoistUpdates},
    {"elide-copies", &Optimizations::elideCopies},
    {"overlap-exchanges", &Optimizations::overlapExchanges},
    {"plan-memory", &Optimizations::planMemory},
};

} // namespace

SmallVector<StringRef> phantom::optimizationNames() {
  return llvm::map_to_vector(kEntries, [](const Entry &entry) { return entry.name; });
}

bool phantom::disable(Optimizations &optimizations, StringRef name) {
  const Entry *entry = find_if(kEntries, [&](const Entry &candidate) { return candidate.name == name; });
  if (entry == std::end(kEntries))
    return false;
  optimizations.*entry->enabled = false;
  return true;
}
