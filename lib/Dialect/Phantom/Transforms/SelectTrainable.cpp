//===- SelectTrainable.cpp - Which parameters are trained -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/GlobPattern.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMSELECTTRAINABLE
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

struct SelectTrainablePass : mlir::phantom::impl::PhantomSelectTrainableBase<SelectTrainablePass> {
  using PhantomSelectTrainableBase::PhantomSelectTrainableBase;
  void runOnOperation() override;

private:
  /// Sets the attribute of all parameters that `text` matches.
  LogicalResult mark(StringRef option, StringRef text, bool isTrainable);
};

LogicalResult SelectTrainablePass::mark(StringRef option, StringRef text, bool isTrainable) {
  ModuleOp module = getOperation();
  // With braces: "fc2.{weight,bias}".
  auto pattern = llvm::GlobPattern::create(text, /*MaxSubPatterns=*/1024);
  if (!pattern)
    return module.emitError() << option << " '" << text << "' is no glob: " << toString(pattern.takeError());
  bool matched = false;
  for (auto parameter : module.getOps<ParameterOp>()) {
    auto type = cast<RankedTensorType>(parameter.getType());
    if (!pattern->match(parameter.getSymName()) || !isa<FloatType>(type.getElementType()))
      continue;
    matched = true;
    parameter.setTrainable(isTrainable);
  }
  if (!matched)
    module.emitWarning() << option << " '" << text << "' matches no parameter";
  return success();
}

void SelectTrainablePass::runOnOperation() {
  if (!trainable.empty()) {
    for (auto parameter : getOperation().getOps<ParameterOp>())
      parameter.setTrainable(false);
    if (failed(mark("trainable", trainable, true)))
      return signalPassFailure();
  }
  if (!frozen.empty() && failed(mark("frozen", frozen, false)))
    signalPassFailure();
}

} // namespace
