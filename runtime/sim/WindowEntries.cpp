//===- WindowEntries.cpp - Memory that all ranks of a communicator know ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

using namespace llvm;

namespace phantom::rt::sim {

// NCCL_WIN_REQUIRED_ALIGNMENT.
static constexpr uintptr_t windowAlignment = 4096;
enum : int { windowDefault = 0, windowSymmetric = 1 };

static int ncclMemAlloc(Sim &sim, void **memory, size_t bytes) {
  return sim.allocate(Allocation::Kind::Window, memory, bytes) == cudaSuccess ? ncclSuccess
                                                                              : ncclUnhandledCudaError;
}

static int ncclMemFree(Sim &sim, void *memory) {
  return sim.release(Allocation::Kind::Window, memory) == cudaSuccess ? ncclSuccess : ncclUnhandledCudaError;
}

// What is wrong with the memory of a window; "": nothing.
static std::string checkMemory(Sim &sim, const Communicator &communicator, const void *memory, size_t bytes,
                               int flags) {
  const Allocation *allocation = sim.memory.find(memory);
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  if (!allocation || !allocation->live || allocation->kind == Allocation::Kind::Pinned)
    return "the window is no memory of a device";
  if (begin + bytes > allocation->begin + allocation->bytes || bytes == 0)
    return textOf(Region::contiguous(memory, bytes), *allocation) + " are not in it";
  if (allocation->device != communicator.device)
    return allocation->text() + " is not of the communicator's device " + std::to_string(communicator.device);
  if (flags == windowSymmetric && allocation->kind != Allocation::Kind::Window)
    return allocation->text() + " is not from ncclMemAlloc, which a symmetric window needs";
  if (begin % windowAlignment != 0)
    return "the address of the window is no multiple of 4096";
  for (const auto &window : sim.nccl.windows.allLive())
    if (window->communicator == &communicator &&
        overlap(Region::contiguous(memory, bytes), {window->begin, window->bytes, window->bytes, 1}))
      return "the window overlaps with window " + std::to_string(window->number);
  return "";
}

// Whether the ranks register the same; reports a difference.
static bool agrees(Sim &sim, World &world, const WindowSet &ours, int64_t number) {
  if (size_t(number) >= world.windows.size())
    world.windows.push_back(ours);
  WindowSet &first = world.windows[size_t(number)];
  ++first.registered;
  if (first.offset == ours.offset && first.bytes == ours.bytes && first.flags == ours.flags)
    return true;
  const auto text = [](const WindowSet &window) {
    return (Twine(window.bytes) + " bytes from byte " + Twine(window.offset) +
            " of its memory on, with flags " + Twine(window.flags))
        .str();
  };
  sim.refuse(0, "the ranks differ in window " + Twine(number) + " of communicator " + Twine(world.number) +
                    ": rank " + Twine(first.firstRank) + " registers " + text(first) + ", rank " +
                    Twine(ours.firstRank) + " " + text(ours));
  return false;
}

static int ncclCommWindowRegister(Sim &sim, gpu::Comm comm, void *memory, size_t bytes,
                                  gpu::CommWindow *handle, int flags) {
  *handle = nullptr;
  Communicator *communicator = sim.need(sim.nccl.communicators, comm, "the communicator");
  if (!communicator || sim.forbiddenByCapture())
    return ncclInvalidArgument;
  if (int status = checkReady(sim, *communicator))
    return status;
  if (flags != windowDefault && flags != windowSymmetric)
    return sim.refuse(ncclInvalidArgument, "the double does not know the flags " + Twine(flags));
  if (const std::string problem = checkMemory(sim, *communicator, memory, bytes, flags); !problem.empty())
    return sim.refuse(ncclInvalidArgument, problem);
  World &world = *communicator->world;
  Allocation *allocation = sim.memory.find(memory);
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const int64_t number = communicator->windowsRegistered++;
  if (!agrees(sim, world, {begin - allocation->begin, bytes, flags, communicator->rank, 0}, number)) {
    breakWorld(world, ncclInvalidUsage);
    return ncclInvalidUsage;
  }
  RegisteredWindow &window = sim.nccl.windows.add();
  window = {communicator, allocation, begin, bytes, number};
  ++allocation->windows;
  *handle = reinterpret_cast<gpu::CommWindow>(&window);
  if (!communicator->blocking) {
    communicator->polls = sim.options.ncclPolls;
    communicator->registering = number;
    return ncclInProgress;
  }
  const auto allCame = [&] {
    return world.windows[size_t(number)].registered == world.size() || communicator->status != 0;
  };
  return waitFor(sim, allCame, "the other ranks to register the window") ? communicator->status
                                                                         : ncclInternalError;
}

static int ncclCommWindowDeregister(Sim &sim, gpu::Comm comm, gpu::CommWindow handle) {
  Communicator *communicator = sim.need(sim.nccl.communicators, comm, "the communicator");
  RegisteredWindow *window = sim.need(sim.nccl.windows, handle, "the window");
  if (!communicator || !window)
    return ncclInvalidArgument;
  if (window->communicator != communicator)
    return sim.refuse(ncclInvalidArgument, "the window is of another communicator");
  sim.unused(*window->allocation, {window->begin, window->bytes, window->bytes, 1});
  --window->allocation->windows;
  sim.nccl.windows.remove(*window);
  return ncclSuccess;
}

void addWindowEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(ncclMemAlloc);
  PHANTOM_SIM_ENTRY(ncclMemFree);
  PHANTOM_SIM_ENTRY(ncclCommWindowRegister);
  PHANTOM_SIM_ENTRY(ncclCommWindowDeregister);
}

} // namespace phantom::rt::sim
