//===- Compile.h - Kernels as code for this machine -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TARGET_CPU_COMPILE_H
#define PHANTOM_TARGET_CPU_COMPILE_H

#include "phantom-rt/Kernels.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace mlir::phantom {

using ::phantom::rt::CompiledProgram;

/// Exports the step program of a module that went through `phantom-to-cpu-pipeline`, and compiles its kernels
/// for the CPU of this machine, into memory. Fails where the module is no step program (a diagnostic says
/// why) or LLVM cannot compile for the machine.
llvm::Expected<CompiledProgram> compileForCpu(ModuleOp module);

} // namespace mlir::phantom

#endif // PHANTOM_TARGET_CPU_COMPILE_H
