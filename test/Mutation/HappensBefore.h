//===- HappensBefore.h - What a command list orders -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_MUTATION_HAPPENSBEFORE_H
#define PHANTOM_TEST_MUTATION_HAPPENSBEFORE_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/BitVector.h"

#include <vector>

namespace phantom::mutation {

/// The order that streams and events give the commands of one run on one rank: from the list alone, without
/// running anything.
class HappensBefore {
public:
  explicit HappensBefore(const std::vector<rt::Command> &commands);

  /// Whether command `first` is over when command `second` begins, in every schedule.
  bool ordered(size_t first, size_t second) const { return before[second].test(first); }
  /// Whether what was queued on the compute stream before the run is over when the command begins.
  bool afterBegin(size_t command) const { return before[command].test(before.size()); }
  /// Whether the command is over when what is queued on the compute stream after the run begins.
  bool beforeEnd(size_t command) const { return atEnd.test(command); }

private:
  std::vector<llvm::BitVector> before; ///< by command; the last bit is the begin of the run
  llvm::BitVector atEnd;
};

} // namespace phantom::mutation

#endif // PHANTOM_TEST_MUTATION_HAPPENSBEFORE_H
