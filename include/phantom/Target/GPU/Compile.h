//===- Compile.h - Kernels as code for GPUs, and their twins ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TARGET_GPU_COMPILE_H
#define PHANTOM_TARGET_GPU_COMPILE_H

#include "phantom-rt/GpuKernels.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>

namespace mlir::phantom {

using ::phantom::rt::CompiledGpuProgram;

/// What GPUs get.
enum class GpuImage {
  None,   ///< nothing: only the twins run
  Ptx,    ///< PTX for the oldest target, which the driver compiles; needs no toolkit
  Fatbin, ///< code for each target, and that PTX for later ones; needs ptxas and fatbinary
};

struct GpuCompileOptions {
  GpuImage image = GpuImage::Fatbin;
  bool twins = false;  ///< also compile the kernels for this machine
  std::string toolkit; ///< folder of the CUDA toolkit; empty: that of CUDA_HOME, or where PATH has ptxas
};

/// Whether there is a CUDA toolkit, as `GpuCompileOptions::toolkit` says. The error says where it was looked
/// for.
llvm::Error findCudaToolkit(const GpuCompileOptions &options);

/// Exports the step program of a module that went through `phantom-to-cuda-pipeline`, and compiles its
/// kernels for the targets of its gpu.module. Fails where the module is no such program (a diagnostic says
/// why), the toolkit is missing, or a kernel needs a function that only the toolkit has.
llvm::Expected<CompiledGpuProgram> compileForGpu(ModuleOp module, const GpuCompileOptions &options = {});

} // namespace mlir::phantom

#endif // PHANTOM_TARGET_GPU_COMPILE_H
