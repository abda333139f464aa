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

#include "phantom-rt/GpuKernels.h"
#include "phantom-rt/GpuSim.h"

namespace phantom::run {

/// What a run on GPUs, or on their double, needs. Outlives the run's session.
class GpuMachine {
public:
  /// Checks that this machine has what the run needs: before the model is compiled.
  static llvm::Expected<std::unique_ptr<GpuMachine>> create(const RunOptions &options);

  /// Compiles the model for the machine.
  llvm::Expected<const rt::Program *> compile(const RunOptions &options);

  /// Loads what was compiled.
  llvm::Expected<std::unique_ptr<rt::Session>> load(const RunOptions &options);

  /// What the double has found wrong in the whole run; success on GPUs.
  llvm::Error check() const;

private:
  std::unique_ptr<rt::GpuSim> sim; ///< null: GPUs
  rt::GpuLibraries libraries;
  llvm::SmallVector<int> gpus; ///< that this process uses
  rt::CompiledGpuProgram compiled;
  rt::LinkedTwins twins;
  std::vector<char> image;
};

} // namespace phantom::run

#endif // PHANTOM_RUN_GPU_H
