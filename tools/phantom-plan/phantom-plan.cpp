//===- phantom-plan.cpp - Plans ranks and ghost widths (not in this version) -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "llvm/Support/raw_ostream.h"

int main() {
  llvm::errs() << "phantom-plan: error: planning is not in this version; 'phantom-run train --summary "
                  "F.json' reports the "
                  "cost of one choice\n";
  return 1;
}
