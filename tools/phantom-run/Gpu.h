//===- Gpu.h - Runs on GPUs -------------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_GPU_H
#define PHANTOM_RUN_GPU_H

#include "Options.h"

namespace phantom::run {

/// What a run on GPUs, or on their double, needs beside the program.
class GpuMachine {
public:
  /// Checks that this machine has what the run needs: before the model is compiled.
  static llvm::Expected<std::unique_ptr<GpuMachine>> create(const RunOptions &options);

private:
  rt::GpuLibraries libraries;
};

} // namespace phantom::run

#endif // PHANTOM_RUN_GPU_H
