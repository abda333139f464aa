//===- Sim.cpp - Calls of the double, and its public face -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"

#include <atomic>
#include <chrono>

using namespace llvm;
using phantom::rt::gpu::GpuApi;

namespace phantom::rt::sim {

static const char *const entryNames[] = {
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) #symbol,
#include "phantom-rt/GpuEntryPoints.def"
};

static std::mutex activeMutex;
static Sim *active = nullptr;
static std::atomic<uint64_t> simsMade{0};

ActiveSim::ActiveSim() {
  {
    std::lock_guard<std::mutex> guard(activeMutex);
    sim = active;
  }
  if (sim)
    lock = std::unique_lock<std::mutex>(sim->mutex);
}

Sim::Sim(GpuSimOptions given)
    : options(std::move(given)), devices(size_t(options.devices)), random(options.scheduleSeed),
      identity(++simsMade), faultCalls(options.faults.calls.size(), 0) {}

int Sim::beginCall(Entry entry) {
  callName = entryNames[size_t(entry)];
  int status = 0;
  for (auto [fault, calls] : llvm::zip(options.faults.calls, faultCalls))
    if (fault.entry == callName && (fault.device < 0 || fault.device == currentDevice()))
      if (++calls == fault.call)
        status = fault.status;
  return status;
}

// Each thread's device, and the double that it is of.
static thread_local uint64_t deviceOwner = 0;
static thread_local int threadDevice = 0;

int Sim::currentDevice() const { return deviceOwner == identity ? threadDevice : 0; }

void Sim::setCurrentDevice(int device) {
  deviceOwner = identity;
  threadDevice = device;
}

void Sim::violation(const Twine &message) {
  constexpr size_t most = 100;
  if (violations.size() < most)
    violations.push_back(message.str());
}

int Sim::refuse(int status, const Twine &message) {
  violation(Twine(callName) + ": " + message);
  return status;
}

void Sim::pause() {
  const char *name = callName;
  mutex.unlock();
  std::this_thread::sleep_for(std::chrono::microseconds(50));
  mutex.lock();
  callName = name;
}

//===----------------------------------------------------------------------===//
// Leaks
//===----------------------------------------------------------------------===//

// "2 events"; nothing where there are none.
static void addCount(std::string &text, size_t count, const char *what, const char *one = "",
                     const char *many = "s") {
  if (count == 0)
    return;
  text += (Twine(text.empty() ? "" : ", ") + Twine(count) + " " + what + (count == 1 ? one : many)).str();
}

std::string Sim::leaks() const {
  std::string text;
  for (const auto &[address, allocation] : memory.all())
    if (allocation->live && (allocation->device < 0 || devices[allocation->device].status == 0))
      text += (text.empty() ? "" : ", ") + allocation->text();
  addCount(text, queues.count(), "stream");
  addCount(text, events.count(), "event");
  addCount(text, graphs.count(), "graph");
  addCount(text, graphExecs.count(), "instantiated graph");
  addCount(text, libraries.count(), "kernel librar", "y", "ies");
  addCount(text, blas.handles.count(), "cuBLASLt handle");
  addCount(text, blas.descriptions.count(), "cuBLASLt description");
  addCount(text, blas.layouts.count(), "cuBLASLt layout");
  addCount(text, blas.preferences.count(), "cuBLASLt preference");
  addCount(text, nccl.communicators.count(), "communicator");
  addCount(text, nccl.windows.count(), "window");
  for (const auto &queue : queues.all())
    for (const std::shared_ptr<Op> &op : queue->ops)
      if (devices[queue->device].status == 0)
        text += (Twine(text.empty() ? "" : ", ") + op->text() + ", which nobody waited for").str();
  return text;
}

} // namespace phantom::rt::sim

//===----------------------------------------------------------------------===//
// GpuSim
//===----------------------------------------------------------------------===//

namespace phantom::rt {

struct GpuSim::Implementation {
  explicit Implementation(GpuSimOptions options) : sim(std::move(options)) {}
  sim::Sim sim;
  GpuApi api;
};

GpuSim::GpuSim() = default;

GpuSim::~GpuSim() {
  std::lock_guard<std::mutex> guard(sim::activeMutex);
  sim::active = nullptr;
}

static Error checkOptions(const GpuSimOptions &options) {
  if (options.devices < 0 || options.devices > 1024)
    return makeError("the double has 0 to 1024 devices, not " + Twine(options.devices));
  if (options.memoryBytes < 1)
    return makeError("a device of the double has at least 1 byte of memory");
  if (options.gemmTimes.empty())
    return makeError("the double needs at least one kernel per matrix product");
  for (const CallFault &fault : options.faults.calls)
    if (!llvm::is_contained(sim::entryNames, StringRef(fault.entry)))
      return makeError("there is no entry point '" + fault.entry + "' to fail; see GpuEntryPoints.def");
  return Error::success();
}

Expected<std::unique_ptr<GpuSim>> GpuSim::create(GpuSimOptions options) {
  if (Error error = checkOptions(options))
    return error;
  std::lock_guard<std::mutex> guard(sim::activeMutex);
  if (sim::active)
    return makeError("a process has one double of GPUs at a time: destroy the other first");
  std::unique_ptr<GpuSim> made(new GpuSim);
  made->implementation = std::make_unique<Implementation>(std::move(options));
  GpuApi &api = made->implementation->api;
  sim::addStatusTexts(api);
  sim::addDeviceEntries(api);
  sim::addMemoryEntries(api);
  sim::addStreamEntries(api);
  sim::addEventEntries(api);
  sim::addCaptureEntries(api);
  sim::addGraphEntries(api);
  sim::addKernelEntries(api);
  sim::addBlasEntries(api);
  sim::addCommunicatorEntries(api);
  sim::addCollectiveEntries(api);
  sim::addWindowEntries(api);
  sim::addNvmlEntries(api);
  sim::active = &made->implementation->sim;
  return made;
}

const GpuApi &GpuSim::api() const { return implementation->api; }

Error GpuSim::check() const {
  std::lock_guard<std::mutex> lock(implementation->sim.mutex);
  const std::vector<std::string> &violations = implementation->sim.violations;
  return violations.empty() ? Error::success() : makeError(violations.front());
}

std::vector<std::string> GpuSim::violations() const {
  std::lock_guard<std::mutex> lock(implementation->sim.mutex);
  return implementation->sim.violations;
}

Error GpuSim::checkLeaks() const {
  std::lock_guard<std::mutex> lock(implementation->sim.mutex);
  const std::string leaks = implementation->sim.leaks();
  return leaks.empty() ? Error::success() : makeError("left at the end: " + leaks);
}

GpuSimCounts GpuSim::counts() const {
  std::lock_guard<std::mutex> lock(implementation->sim.mutex);
  return implementation->sim.counts;
}

} // namespace phantom::rt
