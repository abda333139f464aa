//===- MemoryEntries.cpp - Memory, copies and fills -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt::sim {

//===----------------------------------------------------------------------===//
// Allocation
//===----------------------------------------------------------------------===//

int Sim::allocate(Allocation::Kind kind, void **pointer, size_t bytes) {
  const bool pinned = kind == Allocation::Kind::Pinned;
  const int device = pinned ? -1 : currentDevice();
  if (int status = forbiddenByCapture())
    return status;
  if (devices.empty())
    return cudaErrorNoDevice;
  if (int status = devices[currentDevice()].status)
    return status;
  *pointer = nullptr;
  if (bytes == 0)
    return cudaSuccess;
  if (!pinned && (++allocationsMade == options.faults.failedAllocation ||
                  bytes > size_t(options.memoryBytes) - memory.used(device)))
    return cudaErrorMemoryAllocation;
  Allocation *made = memory.allocate(kind, device, bytes);
  if (!made)
    return cudaErrorMemoryAllocation;
  *pointer = reinterpret_cast<void *>(made->begin);
  return cudaSuccess;
}

int Sim::release(Allocation::Kind kind, void *pointer) {
  if (int status = forbiddenByCapture())
    return status;
  if (!pointer)
    return cudaSuccess;
  Allocation *allocation = memory.find(pointer);
  if (!allocation || allocation->begin != reinterpret_cast<uintptr_t>(pointer))
    return refuse(cudaErrorInvalidValue, "the address is not the begin of an allocation");
  if (allocation->kind != kind)
    return refuse(cudaErrorInvalidValue, allocation->text() + " was allocated by another function");
  if (!allocation->live)
    return refuse(cudaErrorInvalidValue, allocation->text() + " is freed already");
  if (allocation->device >= 0 && devices[allocation->device].status != 0)
    return devices[allocation->device].status;
  if (allocation->windows > 0)
    refuse(0, allocation->text() + " is freed while a window in it is registered");
  unused(*allocation, {allocation->begin, allocation->bytes, allocation->bytes, 1});
  memory.release(*allocation);
  return cudaSuccess;
}

static int cudaMalloc(Sim &sim, void **memory, size_t bytes) {
  return sim.allocate(Allocation::Kind::Device, memory, bytes);
}
static int cudaFree(Sim &sim, void *memory) { return sim.release(Allocation::Kind::Device, memory); }

static int cudaMallocHost(Sim &sim, void **memory, size_t bytes) {
  return sim.allocate(Allocation::Kind::Pinned, memory, bytes);
}
static int cudaFreeHost(Sim &sim, void *memory) { return sim.release(Allocation::Kind::Pinned, memory); }

static int cudaMemGetInfo(Sim &sim, size_t *free, size_t *total) {
  *total = size_t(sim.options.memoryBytes);
  *free = *total - sim.memory.used(sim.currentDevice());
  return cudaSuccess;
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

enum class Place : uint8_t { Device, Pinned, Pageable };

static Place placeOf(Sim &sim, const void *address) {
  const Allocation *allocation = sim.memory.find(address);
  if (!allocation)
    return Place::Pageable;
  return allocation->kind == Allocation::Kind::Pinned ? Place::Pinned : Place::Device;
}

static bool fits(int kind, Place from, Place to) {
  const bool toDevice = to == Place::Device, fromDevice = from == Place::Device;
  switch (kind) {
  case cudaMemcpyHostToDevice:
    return !fromDevice && toDevice;
  case cudaMemcpyDeviceToHost:
    return fromDevice && !toDevice;
  case cudaMemcpyDeviceToDevice:
    return fromDevice && toDevice;
  case cudaMemcpyDefault:
    return fromDevice || toDevice;
  default:
    return false;
  }
}

static Command copyCommand(Sim &sim, void *to, Place toPlace, const void *from, Place fromPlace,
                           size_t bytes) {
  constexpr double hostBytesPerSecond = 5e10, deviceBytesPerSecond = 1e12;
  const bool onDevice = fromPlace == Place::Device && toPlace == Place::Device;
  Command command;
  command.kind = Command::Kind::Copy;
  command.label = ("copy of " + Twine(bytes) + " bytes " +
                   (onDevice                   ? "on the device"
                    : toPlace == Place::Device ? "to the device"
                                               : "to the host"))
                      .str();
  command.seconds += double(bytes) / (onDevice ? deviceBytesPerSecond : hostBytesPerSecond);
  if (fromPlace != Place::Pageable)
    command.accesses.push_back({Region::contiguous(from, bytes), /*writes=*/false});
  if (toPlace != Place::Pageable)
    command.accesses.push_back({Region::contiguous(to, bytes), /*writes=*/true});
  if (fromPlace == Place::Pinned)
    command.hostSource = Region::contiguous(from, bytes);
  // Pageable memory is read before the call returns.
  std::shared_ptr<std::vector<std::byte>> staged;
  if (fromPlace == Place::Pageable) {
    const auto *begin = static_cast<const std::byte *>(from);
    staged = std::make_shared<std::vector<std::byte>>(begin, begin + bytes);
  }
  command.run = [&sim, to, toPlace, from, staged, bytes](const Op &) {
    const void *source = staged ? staged->data() : sim.memory.host(from);
    std::memcpy(toPlace == Place::Pageable ? to : sim.memory.host(to), source, bytes);
  };
  return command;
}

static int cudaMemcpyAsync(Sim &sim, void *to, const void *from, size_t bytes, int kind, gpu::Stream stream) {
  Queue *queue = sim.needStream(stream);
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  const Place fromPlace = placeOf(sim, from), toPlace = placeOf(sim, to);
  if (!fits(kind, fromPlace, toPlace))
    return sim.refuse(cudaErrorInvalidMemcpyDirection,
                      "direction " + Twine(kind) + " does not fit the addresses: the source is " +
                          (fromPlace == Place::Device ? "device" : "host") + " memory, the destination " +
                          (toPlace == Place::Device ? "device" : "host") + " memory");
  if (bytes == 0)
    return cudaSuccess;
  if (overlap(Region::contiguous(from, bytes), Region::contiguous(to, bytes)))
    return sim.refuse(cudaErrorInvalidValue, "the source and the destination overlap");
  const bool pageable = fromPlace == Place::Pageable || toPlace == Place::Pageable;
  if (pageable && queue->capture) {
    queue->capture->spoilt = true;
    return sim.refuse(cudaErrorStreamCaptureUnsupported,
                      "a copy in a graph needs pinned memory on the host: use cudaMallocHost");
  }
  if (int status = sim.submit(*queue, copyCommand(sim, to, toPlace, from, fromPlace, bytes)))
    return status;
  if (toPlace == Place::Pageable)
    return sim.wait(queue->last);
  sim.counts.hostWaits += pageable;
  return cudaSuccess;
}

static int cudaMemsetAsync(Sim &sim, void *memory, int value, size_t bytes, gpu::Stream stream) {
  Queue *queue = sim.needOwnStream(stream);
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  if (bytes == 0)
    return cudaSuccess;
  Command command;
  command.kind = Command::Kind::Set;
  command.label = ("fill of " + Twine(bytes) + " bytes").str();
  command.accesses.push_back({Region::contiguous(memory, bytes), /*writes=*/true});
  command.run = [&sim, memory, value, bytes](const Op &) {
    std::memset(sim.memory.host(memory), value, bytes);
  };
  return sim.submit(*queue, std::move(command));
}

void addMemoryEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaMalloc);
  PHANTOM_SIM_ENTRY(cudaFree);
  PHANTOM_SIM_ENTRY(cudaMallocHost);
  PHANTOM_SIM_ENTRY(cudaFreeHost);
  PHANTOM_SIM_ENTRY(cudaMemGetInfo);
  PHANTOM_SIM_ENTRY(cudaMemcpyAsync);
  PHANTOM_SIM_ENTRY(cudaMemsetAsync);
}

} // namespace phantom::rt::sim
