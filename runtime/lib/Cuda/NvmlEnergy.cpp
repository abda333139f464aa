//===- NvmlEnergy.cpp - The energy of GPUs --------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NvmlEnergy.h"

#include <vector>

using namespace llvm;

namespace phantom::rt::gpu {

namespace {

class NvmlEnergy final : public EnergySource {
public:
  NvmlEnergy(const GpuLibraries &libraries, int devices) : libraries(libraries) { reason = start(devices); }
  ~NvmlEnergy() override {
    if (isStarted)
      (void)libraries.api.nvmlShutdown();
  }
  NvmlEnergy(const NvmlEnergy &) = delete;
  NvmlEnergy &operator=(const NvmlEnergy &) = delete;

  StringRef name() const override { return "nvml"; }
  EnergyReading read() override;

private:
  std::string start(int devices);

  const GpuLibraries &libraries;
  bool isStarted = false;
  std::vector<NvmlDevice> handles;
  std::string reason; ///< why nothing can be read
};

/// Why nothing can be read; empty where it can.
std::string NvmlEnergy::start(int devices) {
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

EnergyReading NvmlEnergy::read() {
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

} // namespace

std::unique_ptr<EnergySource> createNvmlEnergy(const GpuLibraries &libraries, int devices) {
  return std::make_unique<NvmlEnergy>(libraries, devices);
}

} // namespace phantom::rt::gpu
