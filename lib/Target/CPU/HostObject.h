//===- HostObject.h - Kernels as an object for this machine -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_CPU_HOSTOBJECT_H
#define PHANTOM_LIB_TARGET_CPU_HOSTOBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/OptimizationLevel.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::phantom {

/// LLVM IR of a module in the LLVM dialect (and, in a gpu.module, NVVM); null where it has another op.
std::unique_ptr<llvm::Module> translateKernels(Operation *kernels, llvm::LLVMContext &context);

/// Runs LLVM's pipeline of that level, as for `machine`.
void optimize(llvm::Module &module, llvm::TargetMachine &machine, llvm::OptimizationLevel level);

/// Relocatable code for this machine of a module in the LLVM dialect. `addEntry` is called with each function
/// first, to add a function that calls it.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
compileForHost(ModuleOp kernels, llvm::function_ref<void(llvm::Function &)> addEntry);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_TARGET_CPU_HOSTOBJECT_H
