//===- Energy.h - Energy counters of GPUs -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_ENERGY_H
#define PHANTOM_RT_LIB_CUDA_ENERGY_H

#include "phantom-rt/LoadGpuApi.h"
#include "phantom-rt/Runtime.h"

namespace phantom::rt::gpu {

/// NVML's counter of the energy that some GPUs have used since their driver was loaded.
class EnergyCounter {
public:
  /// Of the GPUs 0 to `devices` - 1.
  EnergyCounter(const GpuLibraries &libraries, int devices);
  ~EnergyCounter();
  EnergyCounter(const EnergyCounter &) = delete;
  EnergyCounter &operator=(const EnergyCounter &) = delete;

  EnergyReading read() const;

private:
  std::string start(int devices);

  const GpuLibraries &libraries;
  bool isStarted = false;
  std::vector<NvmlDevice> handles;
  std::string reason; ///< why nothing can be read
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_ENERGY_H
