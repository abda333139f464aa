//===- ValuesByName.cpp - Numbers of parameters, by globs over names ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ValuesByName.h"

#include "mlir/IR/Diagnostics.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

FailureOr<ValuesByName> ValuesByName::parse(ModuleOp module, StringRef option,
                                            ArrayRef<std::string> entries) {
  ValuesByName values;
  values.option = option.str();
  for (StringRef entry : entries) {
    auto [glob, number] = entry.rsplit('=');
    double value = 0;
    if (glob.empty() || number.getAsDouble(value) || !(value >= 0 && std::isfinite(value)))
      return module.emitError() << option << " '" << entry
                                << "' is not GLOB=F with a number F that is at least 0";
    auto pattern = llvm::GlobPattern::create(glob, /*MaxSubPatterns=*/1024);
    if (!pattern)
      return module.emitError() << option << " '" << glob
                                << "' is no glob: " << toString(pattern.takeError());
    values.entries.push_back({glob.str(), std::move(*pattern), value});
  }
  return values;
}

double ValuesByName::lookup(StringRef name, double otherwise) {
  for (Entry &entry : entries)
    if (entry.pattern.match(name)) {
      entry.matched = true;
      otherwise = entry.value;
    }
  return otherwise;
}

void ValuesByName::warnOfUnused(ModuleOp module) const {
  for (const Entry &entry : entries)
    if (!entry.matched)
      module.emitWarning() << option << " '" << entry.text << "' matches no trained parameter";
}
