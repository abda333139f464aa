//===- Kernels.h - Code of gpu.module kernels -------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_GPU_KERNELS_H
#define PHANTOM_LIB_TARGET_GPU_KERNELS_H

#include "phantom-rt/GpuKernels.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>
#include <string>

namespace mlir::phantom {

/// Lowers a copy of the kernels to NVVM, in a module of its own. Null where an op cannot be lowered, which a
/// diagnostic says.
OwningOpRef<ModuleOp> lowerToNvvm(gpu::GPUModuleOp kernels);

/// The PTX for a target of kernels that `lowerToNvvm` made. `findLibdevice` is called where they need its
/// functions.
llvm::Expected<std::string> emitPtx(ModuleOp lowered, NVVM::NVVMTargetAttr target,
                                    llvm::function_ref<llvm::Expected<std::string>()> findLibdevice);

/// Relocatable code for this machine that runs one thread of each kernel: a rt::TwinFunction each, by
/// rt::kernelSymbol.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> compileTwins(gpu::GPUModuleOp kernels);

/// What is known of a kernel's twin before it has code.
::phantom::rt::KernelTwin describeTwin(gpu::GPUFuncOp kernel,
                                       llvm::ArrayRef<::phantom::rt::KernelArgument> arguments);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_TARGET_GPU_KERNELS_H
