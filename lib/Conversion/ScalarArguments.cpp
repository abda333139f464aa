//===- ScalarArguments.cpp - What the runtime tells a function -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarArguments.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace mlir;
using namespace mlir::phantom;

Value mlir::phantom::getScalarArgument(func::FuncOp function, StringRef name) {
  for (BlockArgument argument : function.getArguments()) {
    auto scalar = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), PhantomDialect::kScalar);
    if (scalar && scalar.getValue() == name)
      return argument;
  }
  return {};
}

Value mlir::phantom::getOrAddScalarArgument(func::FuncOp function, StringRef name) {
  if (Value known = getScalarArgument(function, name))
    return known;
  Builder b(function.getContext());
  auto type = RankedTensorType::get({}, b.getI64Type());
  auto attributes = b.getDictionaryAttr(b.getNamedAttr(PhantomDialect::kScalar, b.getStringAttr(name)));
  (void)function.insertArgument(function.getNumArguments(), type, attributes, function.getLoc());
  return function.getArguments().back();
}
