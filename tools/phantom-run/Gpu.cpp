//===- Gpu.cpp - Runs on GPUs ---------------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

using namespace llvm;

namespace phantom::run {

Expected<std::unique_ptr<GpuMachine>> GpuMachine::create(const RunOptions &options) {
  if (options.device == Device::Sim)
    return createStringError("--device sim is not in this version");
  auto machine = std::make_unique<GpuMachine>();
  machine->libraries = rt::loadGpuLibraries();
  if (Error error = rt::checkGpus(machine->libraries, options.compile.ranks, options.exchange))
    return error;
  return createStringError("--device cuda: models cannot be compiled for GPUs in this version");
}

} // namespace phantom::run
