//===- FunctionBuilding.cpp - Functions made of other ones ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FunctionBuilding.h"

using namespace mlir;
using namespace mlir::phantom;

OpenFunction mlir::phantom::copyOpen(func::FuncOp source, StringRef name) {
  OpBuilder b(source.getContext());
  b.setInsertionPointToEnd(source->getBlock());
  auto function = cast<func::FuncOp>(b.clone(*source));
  function.setName(name);
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> outputs(terminator->getOperands());
  terminator->erase();
  return {function, outputs};
}

Value mlir::phantom::insertArgument(func::FuncOp function, unsigned index, Type type, StringRef attribute,
                                    Attribute value) {
  Builder b(function.getContext());
  (void)function.insertArgument(index, type, b.getDictionaryAttr(b.getNamedAttr(attribute, value)),
                                function.getLoc());
  return function.getArgument(index);
}

void mlir::phantom::close(func::FuncOp function, ValueRange values, ArrayRef<DictionaryAttr> attrs) {
  OpBuilder b = OpBuilder::atBlockEnd(&function.getBody().front());
  func::ReturnOp::create(b, function.getLoc(), values);
  function.setFunctionType(
      FunctionType::get(function.getContext(), function.getArgumentTypes(), values.getTypes()));
  function.setAllResultAttrs(attrs);
}
