//===- Energy.cpp - Energy counters of GPUs -------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Energy.h"

using namespace llvm;

namespace phantom::rt::gpu {

EnergyCounter::EnergyCounter(const GpuLibraries &libraries, int devices) : libraries(libraries) {
  reason = start(devices);
}

EnergyCounter::~EnergyCounter() {
  if (isStarted)
    (void)libraries.api.nvmlShutdown();
}

/// Why nothing can be read; empty where it can.
std::string EnergyCounter::start(int devices) {
  const GpuApi &api = libraries.api;
  if (!api.nvmlInit_v2)
    return "NVML: " + libraries.problem(LibraryName::Nvml);
  auto problem = [&](int status) { return std::string("NVML: ") + api.nvmlErrorString(status); };
  if (int status = api.nvmlInit_v2())
    return problem(status);
  isStarted = true;
  for (int device = 0; device < devices; ++device) {
    char busId[32] = {};
    NvmlDevice handle = nullptr;
    if (int status = api.cudaDeviceGetPCIBusId(busId, sizeof(busId), device))
      return std::string("the bus of a GPU: ") + api.cudaGetErrorString(status);
    if (int status = api.nvmlDeviceGetHandleByPciBusId_v2(busId, &handle))
      return problem(status);
    handles.push_back(handle);
  }
  return "";
}

EnergyReading EnergyCounter::read() const {
  if (!reason.empty())
    return {std::nullopt, reason};
  double joules = 0;
  for (NvmlDevice handle : handles) {
    unsigned long long millijoules = 0;
    if (int status = libraries.api.nvmlDeviceGetTotalEnergyConsumption(handle, &millijoules))
      return {std::nullopt, std::string("NVML: ") + libraries.api.nvmlErrorString(status)};
    joules += double(millijoules) * 1e-3;
  }
  return {joules, ""};
}

} // namespace phantom::rt::gpu
