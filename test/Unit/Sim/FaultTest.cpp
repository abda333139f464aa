//===- FaultTest.cpp - Injected faults, devices and energy ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

TEST(SimFaults, TheNthCallFails) {
  GpuSimOptions options;
  options.devices = 2;
  options.faults.calls = {{"cudaMemsetAsync", 2, 46}, {"cudaStreamCreateWithPriority", 1, 47, /*device=*/1}};
  Bench bench(options);
  gpu::Stream stream = bench.stream(), other = nullptr;
  float *memory = bench.device(1);
  EXPECT_EQ(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  EXPECT_EQ(bench->cudaMemsetAsync(memory, 1, 4, stream), 46);
  EXPECT_EQ(bench.read(stream, memory, 1), (std::vector<float>{0}));
  EXPECT_EQ(bench->cudaMemsetAsync(memory, 0, 4, stream), 0);
  ASSERT_EQ(bench->cudaSetDevice(1), 0);
  EXPECT_EQ(bench->cudaStreamCreateWithPriority(&other, 1, 0), 47);
  EXPECT_EQ(bench->cudaStreamCreateWithPriority(&other, 1, 0), 0);
  EXPECT_EQ(bench.violations(), "");
}

// Calls an entry with zeros for arguments; a call that is to fail does not look at them.
template <typename... Parameters> int callWithZeros(int (*entry)(Parameters...)) {
  return entry(Parameters{}...);
}

TEST(SimFaults, EveryEntryCanFail) {
#define PHANTOM_GPU_ENTRY(library, symbol, parameters)                                                       \
  {                                                                                                          \
    GpuSimOptions options;                                                                                   \
    options.faults.calls = {{#symbol, 1, 77}};                                                               \
    Bench bench(options);                                                                                    \
    EXPECT_EQ(callWithZeros(bench->symbol), 77) << #symbol;                                                  \
    EXPECT_EQ(bench.violations(), "") << #symbol;                                                            \
  }
#include "phantom-rt/GpuEntryPoints.def"
}

TEST(SimFaults, OptionsThatMakeNoSense) {
  GpuSimOptions options;
  options.devices = -1;
  EXPECT_EQ(message(GpuSim::create(options).takeError()), "the double has 0 to 1024 devices, not -1");
  options.devices = 1;
  options.memoryBytes = 0;
  EXPECT_EQ(message(GpuSim::create(options).takeError()),
            "a device of the double has at least 1 byte of memory");
}

TEST(SimFaults, UnknownEntries) {
  GpuSimOptions options;
  options.faults.calls = {{"cudaMallok"}};
  EXPECT_EQ(message(GpuSim::create(options).takeError()),
            "there is no entry point 'cudaMallok' to fail; see GpuEntryPoints.def");
}

TEST(SimFaults, OneDoubleAtATime) {
  {
    Bench bench;
    EXPECT_EQ(message(GpuSim::create({}).takeError()),
              "a process has one double of GPUs at a time: destroy the other first");
  }
  Bench bench;
}

TEST(SimFaults, NoDoubleAnyMore) {
  gpu::GpuApi api;
  {
    Bench bench;
    api = bench.api();
  }
  void *memory = nullptr;
  EXPECT_NE(api.cudaMalloc(&memory, 4), 0);
}

TEST(SimDevices, AreAsMany) {
  GpuSimOptions options;
  options.devices = 3;
  Bench bench(options);
  int count = 0, value = 0;
  ASSERT_EQ(bench->cudaGetDeviceCount(&count), 0);
  EXPECT_EQ(count, 3);
  ASSERT_EQ(bench->cudaDeviceGetAttribute(&value, 75, 2), 0);
  EXPECT_EQ(value, 9);
  EXPECT_NE(bench->cudaDeviceGetAttribute(&value, 75, 3), 0);
  EXPECT_EQ(bench.violations(), "");
}

TEST(SimDevices, None) {
  GpuSimOptions options;
  options.devices = 0;
  Bench bench(options);
  int count = 0;
  EXPECT_EQ(bench->cudaGetDeviceCount(&count), 100);
  EXPECT_STREQ(bench->cudaGetErrorName(100), "cudaErrorNoDevice");
  void *memory = nullptr;
  EXPECT_EQ(bench->cudaMalloc(&memory, 4), 100);
}

TEST(SimDevices, OldDriver) {
  GpuSimOptions options;
  options.driverVersion = 12040;
  Bench bench(options);
  int count = 0;
  EXPECT_EQ(bench->cudaGetDeviceCount(&count), 35);
}

TEST(SimNvml, EnergyRises) {
  GpuSimOptions options;
  options.devices = 2;
  Bench bench(options);
  char id[32];
  gpu::NvmlDevice device = nullptr;
  unsigned long long before = 0, after = 0;
  ASSERT_EQ(bench->cudaDeviceGetPCIBusId(id, sizeof(id), 1), 0);
  EXPECT_NE(bench->nvmlDeviceGetHandleByPciBusId_v2(id, &device), 0) << "before nvmlInit";
  ASSERT_EQ(bench->nvmlInit_v2(), 0);
  ASSERT_EQ(bench->nvmlDeviceGetHandleByPciBusId_v2(id, &device), 0);
  EXPECT_NE(bench->nvmlDeviceGetHandleByPciBusId_v2("0000:77:00.0", &device), 0);
  ASSERT_EQ(bench->nvmlDeviceGetTotalEnergyConsumption(device, &before), 0);
  ASSERT_EQ(bench->nvmlDeviceGetTotalEnergyConsumption(device, &after), 0);
  EXPECT_GT(after, before);
  EXPECT_EQ(bench.violations(), "");
  EXPECT_NE(bench->nvmlDeviceGetTotalEnergyConsumption(nullptr, &after), 0);
  expectViolation(bench, "nvmlDeviceGetTotalEnergyConsumption: the device does not exist");
  ASSERT_EQ(bench->nvmlShutdown(), 0);
  EXPECT_NE(bench->nvmlShutdown(), 0);
}

} // namespace
