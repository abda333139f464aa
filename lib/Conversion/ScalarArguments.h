//===- ScalarArguments.h - What the runtime tells a function -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_SCALARARGUMENTS_H
#define PHANTOM_LIB_CONVERSION_SCALARARGUMENTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {

/// The argument that is `phantom.scalar = name`; null where the function has none.
Value getScalarArgument(func::FuncOp function, StringRef name);

/// As `getScalarArgument`; adds an i64 scalar as the last argument where the function has none.
Value getOrAddScalarArgument(func::FuncOp function, StringRef name);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_SCALARARGUMENTS_H
