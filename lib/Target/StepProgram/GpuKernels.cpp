//===- GpuKernels.cpp - What kernels for GPUs do to their buffers -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builders.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::phantom;

gpu::GPUModuleOp mlir::phantom::gpuKernels(ModuleOp module) {
  return module.lookupSymbol<gpu::GPUModuleOp>("kernels");
}

FailureOr<std::vector<rt::KernelArgument>> mlir::phantom::toKernelArguments(gpu::GPUFuncOp kernel) {
  std::vector<rt::KernelArgument> arguments;
  const unsigned count = kernel.getFunctionType().getNumInputs(); // without workgroup memory
  for (BlockArgument buffer : kernel.getArguments().take_front(count)) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity()) {
      kernel.emitOpError("takes ") << buffer.getType() << ", which is no contiguous buffer of static shape";
      return failure();
    }
    rt::KernelArgument argument;
    argument.bytes = type.getNumElements() * elementBytes(type.getElementType());
    for (Operation *user : buffer.getUsers()) {
      if (isa<memref::LoadOp>(user)) {
        argument.reads = true;
      } else if (auto store = dyn_cast<memref::StoreOp>(user); store && store.getMemref() == buffer) {
        argument.writes = true;
      } else {
        user->emitOpError("uses a kernel's buffer, but is no load or store");
        return failure();
      }
    }
    arguments.push_back(argument);
  }
  return arguments;
}
