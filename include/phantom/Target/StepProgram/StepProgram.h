//===- StepProgram.h - Planned functions as a step program -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TARGET_STEPPROGRAM_STEPPROGRAM_H
#define PHANTOM_TARGET_STEPPROGRAM_STEPPROGRAM_H

#include "phantom-rt/Program.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::phantom {

/// The program of a module that `phantom-verify-program` accepts. `@forward` is called "infer", other
/// functions keep their names. Emits an error where an op, an argument or a parameter does not fit.
FailureOr<::phantom::rt::Program> exportStepProgram(ModuleOp module);

} // namespace mlir::phantom

#endif // PHANTOM_TARGET_STEPPROGRAM_STEPPROGRAM_H
