//===- Mutants.h - Small faults in a command list ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_MUTATION_MUTANTS_H
#define PHANTOM_TEST_MUTATION_MUTANTS_H

#include "phantom-rt/Program.h"

#include <string>
#include <vector>

namespace phantom::mutation {

/// A command list with one fault.
struct Mutant {
  std::string kind; ///< "wait", "stream", "count", "type", "order" or "slot"
  std::string text; ///< what was changed where, for people
  std::vector<rt::Command> commands;
  std::vector<size_t> removed; ///< the commands that are not there any more, rising
};

/// One fault after the other of all that order or address something between streams and ranks: each event
/// wait left out, each command on the other stream, and each argument of each collective (elements, type,
/// order of the ranks' slots, place of what is sent and received) changed.
std::vector<Mutant> mutantsOf(const rt::Program &program, const rt::Function &function);

/// Whether both lists order their GEMMs, kernels and collectives alike.
bool sameOrder(const std::vector<rt::Command> &original, const Mutant &mutant);

} // namespace phantom::mutation

#endif // PHANTOM_TEST_MUTATION_MUTANTS_H
