//===- Bench.cpp - What the tests of the double share ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

namespace phantom::rt::test {

Bench::Bench(GpuSimOptions options) {
  llvm::Expected<std::unique_ptr<GpuSim>> made = GpuSim::create(std::move(options));
  if (!made) {
    ADD_FAILURE() << llvm::toString(made.takeError());
    std::abort();
  }
  sim = std::move(*made);
}

std::string nameOfMachine(const testing::TestParamInfo<Machine> &info) {
  return info.param == Machine::Gpu ? "Gpu" : "Double";
}

Bench::Bench(Machine machine) : Bench() {
  if (machine == Machine::Double)
    return;
  libraries = loadGpuLibraries();
  problem = message(checkGpus(libraries, /*ranks=*/1, GpuExchange::Loopback));
  if (problem.empty())
    sim.reset();
}

gpu::Stream Bench::stream(int priority) {
  gpu::Stream stream = nullptr;
  EXPECT_EQ(api().cudaStreamCreateWithPriority(&stream, 1, priority), 0);
  return stream;
}

gpu::Event Bench::event(unsigned flags) {
  gpu::Event event = nullptr;
  EXPECT_EQ(api().cudaEventCreateWithFlags(&event, flags), 0);
  return event;
}

float *Bench::device(size_t count) {
  void *memory = nullptr;
  EXPECT_EQ(api().cudaMalloc(&memory, count * sizeof(float)), 0);
  return static_cast<float *>(memory);
}

float *Bench::pinned(size_t count) {
  void *memory = nullptr;
  EXPECT_EQ(api().cudaMallocHost(&memory, count * sizeof(float)), 0);
  return static_cast<float *>(memory);
}

float *Bench::device(gpu::Stream stream, const std::vector<float> &values) {
  float *memory = device(values.size());
  EXPECT_EQ(api().cudaMemcpyAsync(memory, values.data(), values.size() * sizeof(float), toDevice, stream), 0);
  return memory;
}

std::vector<float> Bench::read(gpu::Stream stream, const float *memory, size_t count) {
  std::vector<float> values(count);
  EXPECT_EQ(api().cudaMemcpyAsync(values.data(), memory, count * sizeof(float), toHost, stream), 0);
  return values;
}

void Bench::record(gpu::Event event, gpu::Stream stream) {
  EXPECT_EQ(api().cudaEventRecord(event, stream), 0);
}

void Bench::wait(gpu::Stream stream, gpu::Event event) {
  EXPECT_EQ(api().cudaStreamWaitEvent(stream, event, 0), 0);
}

void Bench::order(gpu::Stream earlier, gpu::Stream later) {
  gpu::Event mark = event();
  record(mark, earlier);
  wait(later, mark);
  EXPECT_EQ(api().cudaEventDestroy(mark), 0);
}

void Bench::synchronize(gpu::Stream stream) { EXPECT_EQ(api().cudaStreamSynchronize(stream), 0); }

std::string Bench::violations() const {
  std::string text;
  if (!sim)
    return text;
  for (const std::string &violation : sim->violations())
    text += violation + "\n";
  return text;
}

std::string message(llvm::Error error) { return error ? llvm::toString(std::move(error)) : ""; }

void expectViolation(const Bench &bench, const std::string &part) {
  const std::vector<std::string> violations = bench.sim->violations();
  ASSERT_EQ(violations.size(), 1u) << bench.violations();
  EXPECT_NE(violations.front().find(part), std::string::npos) << violations.front();
  EXPECT_EQ(message(bench.sim->check()), violations.front());
}

} // namespace phantom::rt::test
