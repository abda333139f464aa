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
  ASSERT_EQ(bench->nvmlShutdown(), 0);
  EXPECT_NE(bench->nvmlShutdown(), 0);
}

} // namespace
