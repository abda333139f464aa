//===- NvmlEntries.cpp - The energy counter -------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include <cstdlib>

namespace phantom::rt::sim {

static int nvmlInit_v2(Sim &sim) {
  ++sim.nvmlUsers;
  return NVML_SUCCESS;
}

static int nvmlShutdown(Sim &sim) {
  if (sim.nvmlUsers == 0)
    return NVML_ERROR_UNINITIALIZED;
  --sim.nvmlUsers;
  return NVML_SUCCESS;
}

static int nvmlDeviceGetHandleByPciBusId_v2(Sim &sim, const char *busId, gpu::NvmlDevice *device) {
  if (sim.nvmlUsers == 0)
    return NVML_ERROR_UNINITIALIZED;
  // "DOMAIN:BUS:DEVICE.FUNCTION", with buses from 1 on.
  char *rest = nullptr;
  std::strtoul(busId, &rest, 16);
  if (*rest != ':')
    return NVML_ERROR_INVALID_ARGUMENT;
  const unsigned long bus = std::strtoul(rest + 1, nullptr, 16);
  if (bus < 1 || bus > sim.devices.size())
    return NVML_ERROR_NOT_FOUND;
  *device = reinterpret_cast<gpu::NvmlDevice>(&sim.devices[bus - 1]);
  return NVML_SUCCESS;
}

static int nvmlDeviceGetTotalEnergyConsumption(Sim &sim, gpu::NvmlDevice handle,
                                               unsigned long long *millijoules) {
  if (sim.nvmlUsers == 0)
    return NVML_ERROR_UNINITIALIZED;
  auto *device = reinterpret_cast<Device *>(handle);
  if (device < sim.devices.data() || device >= sim.devices.data() + sim.devices.size())
    return sim.refuse(NVML_ERROR_INVALID_ARGUMENT, "the device does not exist");
  // Time passes on an idle device too.
  device->joules += 1e-3;
  *millijoules = static_cast<unsigned long long>(device->joules * 1e3);
  return NVML_SUCCESS;
}

void addNvmlEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(nvmlInit_v2);
  PHANTOM_SIM_ENTRY(nvmlShutdown);
  PHANTOM_SIM_ENTRY(nvmlDeviceGetHandleByPciBusId_v2);
  PHANTOM_SIM_ENTRY(nvmlDeviceGetTotalEnergyConsumption);
}

} // namespace phantom::rt::sim
