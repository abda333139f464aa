//===- Gate.h - Whether every fault in a program is noticed ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_MUTATION_GATE_H
#define PHANTOM_TEST_MUTATION_GATE_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>
#include <vector>

namespace phantom::mutation {

struct GateOptions {
  int64_t runs = 3;   ///< of the function: eager, captured and replayed
  uint64_t seed = 0;  ///< of inputs and schedules
  bool blind = false; ///< do not look at what the double reports: a planted fault of the gate itself
};

struct Survivor {
  std::string text;
  bool proven = false; ///< it orders everything as the original, and all data is the same
};

struct GateReport {
  /// The verifier and the double look independently; `byData` counts what differs without a word of the
  /// double.
  struct Counts {
    int64_t mutants = 0, byVerifier = 0, byDouble = 0, byData = 0, survivors = 0;
  };
  std::map<std::string, Counts> kinds; ///< by Mutant::kind
  std::vector<Survivor> survivors;

  /// Whether all survivors are proven to change nothing.
  bool passed() const;
};

/// Runs `function` of the program on the double of a GPU, and then every mutant of it. An error where the
/// program itself is not clean.
llvm::Expected<GateReport> runGate(const rt::Program &program, llvm::StringRef function,
                                   llvm::ArrayRef<char> image, const GateOptions &options);

} // namespace phantom::mutation

#endif // PHANTOM_TEST_MUTATION_GATE_H
