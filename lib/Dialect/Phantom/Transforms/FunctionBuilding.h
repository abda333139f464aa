//===- FunctionBuilding.h - Functions made of other ones --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_DIALECT_TRANSFORMS_FUNCTIONBUILDING_H
#define PHANTOM_LIB_DIALECT_TRANSFORMS_FUNCTIONBUILDING_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {

/// A function whose body ends before the return, and what that would have returned.
struct OpenFunction {
  func::FuncOp function;
  SmallVector<Value> outputs;
};

/// A copy of `source` under another name, at the end of its module.
OpenFunction copyOpen(func::FuncOp source, StringRef name);

/// A new argument at `index`, with one attribute.
Value insertArgument(func::FuncOp function, unsigned index, Type type, StringRef attribute, Attribute value);

/// Ends an open function with a return of `values`, whose attributes are `attrs`.
void close(func::FuncOp function, ValueRange values, ArrayRef<DictionaryAttr> attrs);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_TRANSFORMS_FUNCTIONBUILDING_H
