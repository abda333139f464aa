//===- ValuesByName.h - Numbers of parameters, by globs over names -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_DIALECT_TRANSFORMS_VALUESBYNAME_H
#define PHANTOM_LIB_DIALECT_TRANSFORMS_VALUESBYNAME_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/GlobPattern.h"

#include <string>

namespace mlir::phantom {

/// What a list of `GLOB=F` says: of all globs that match a name, the last one counts.
class ValuesByName {
public:
  /// Parses the entries of the pass option `option`; an error, on `module`, names the entry. Values are at
  /// least 0.
  static FailureOr<ValuesByName> parse(ModuleOp module, StringRef option, ArrayRef<std::string> entries);

  double lookup(StringRef name, double otherwise);

  /// Warns of each glob that matched no name that was looked up.
  void warnOfUnused(ModuleOp module) const;

private:
  struct Entry {
    std::string text;
    llvm::GlobPattern pattern;
    double value;
    bool matched = false;
  };
  std::string option;
  std::vector<Entry> entries;
};

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_TRANSFORMS_VALUESBYNAME_H
