//===- NvmlEnergy.h - The energy of GPUs ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_NVMLENERGY_H
#define PHANTOM_RT_LIB_CUDA_NVMLENERGY_H

#include "phantom-rt/Energy.h"
#include "phantom-rt/LoadGpuApi.h"

namespace phantom::rt::gpu {

/// NVML's counter of the energy that the GPUs 0 to `devices` - 1 have used since their driver was loaded.
/// `libraries` outlives the source.
std::unique_ptr<EnergySource> createNvmlEnergy(const GpuLibraries &libraries, int devices);

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_NVMLENERGY_H
