//===- DeviceEntries.cpp - Devices and versions ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/StringExtras.h"

#include <cstdio>

using namespace llvm;

namespace phantom::rt::sim {

// Of an H100.
static constexpr int runtimeVersion = 13000;
static constexpr int leastPriority = 0, greatestPriority = -5;

static int cudaDriverGetVersion(Sim &sim, int *version) {
  *version = sim.options.driverVersion;
  return cudaSuccess;
}

static int cudaRuntimeGetVersion(Sim &, int *version) {
  *version = runtimeVersion;
  return cudaSuccess;
}

static int cudaGetDeviceCount(Sim &sim, int *count) {
  if (sim.options.driverVersion < runtimeVersion)
    return cudaErrorInsufficientDriver;
  if (sim.devices.empty())
    return cudaErrorNoDevice;
  *count = int(sim.devices.size());
  return cudaSuccess;
}

static bool isDevice(Sim &sim, int device) { return device >= 0 && size_t(device) < sim.devices.size(); }

static int cudaSetDevice(Sim &sim, int device) {
  if (!isDevice(sim, device))
    return cudaErrorInvalidDevice;
  sim.setCurrentDevice(device);
  return sim.devices[device].status;
}

static int cudaDeviceGetAttribute(Sim &sim, int *value, int attribute, int device) {
  if (!isDevice(sim, device))
    return cudaErrorInvalidDevice;
  switch (attribute) {
  case 1: // cudaDevAttrMaxThreadsPerBlock
    *value = 1024;
    return cudaSuccess;
  case 8: // cudaDevAttrMaxSharedMemoryPerBlock
    *value = 48 * 1024;
    return cudaSuccess;
  case 10: // cudaDevAttrWarpSize
    *value = 32;
    return cudaSuccess;
  case 16: // cudaDevAttrMultiProcessorCount
    *value = 132;
    return cudaSuccess;
  case 75: // cudaDevAttrComputeCapabilityMajor
    *value = 9;
    return cudaSuccess;
  case 76: // cudaDevAttrComputeCapabilityMinor
    *value = 0;
    return cudaSuccess;
  default:
    return sim.refuse(cudaErrorInvalidValue, "the double does not know attribute " + Twine(attribute));
  }
}

static int cudaDeviceGetPCIBusId(Sim &sim, char *text, int length, int device) {
  if (!isDevice(sim, device))
    return cudaErrorInvalidDevice;
  const int needed = std::snprintf(text, size_t(length), "0000:%02X:00.0", device + 1);
  return needed < length ? cudaSuccess : cudaErrorInvalidValue;
}

static int cudaDeviceGetStreamPriorityRange(Sim &, int *least, int *greatest) {
  *least = leastPriority;
  *greatest = greatestPriority;
  return cudaSuccess;
}

void addDeviceEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaDriverGetVersion);
  PHANTOM_SIM_ENTRY(cudaRuntimeGetVersion);
  PHANTOM_SIM_ENTRY(cudaGetDeviceCount);
  PHANTOM_SIM_ENTRY(cudaSetDevice);
  PHANTOM_SIM_ENTRY(cudaDeviceGetAttribute);
  PHANTOM_SIM_ENTRY(cudaDeviceGetPCIBusId);
  PHANTOM_SIM_ENTRY(cudaDeviceGetStreamPriorityRange);
}

} // namespace phantom::rt::sim
