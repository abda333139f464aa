//===- KernelEntries.cpp - Libraries of kernels, and launches -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;

namespace phantom::rt::sim {

static constexpr int64_t mostThreads = 1024, mostBlocks = (int64_t(1) << 31) - 1,
                         mostWorkgroupBytes = 48 * 1024;

static int cudaLibraryLoadData(Sim &sim, gpu::Library *library, const void *code, int *, void **, unsigned,
                               int *, void **, unsigned) {
  *library = nullptr;
  if (int status = sim.forbiddenByCapture())
    return status;
  auto twins = findTwins(code);
  if (!twins)
    return cudaErrorInvalidKernelImage;
  LoadedLibrary &made = sim.libraries.add();
  made.twins = std::move(twins);
  *library = reinterpret_cast<gpu::Library>(&made);
  return cudaSuccess;
}

static int cudaLibraryUnload(Sim &sim, gpu::Library library) {
  LoadedLibrary *found = sim.need(sim.libraries, library, "the library");
  if (!found)
    return cudaErrorInvalidResourceHandle;
  for (const auto &queue : sim.queues.all())
    for (const std::shared_ptr<Op> &op : queue->ops)
      if (sim.devices[queue->device].status == 0 && op->command->kind == Command::Kind::Kernel &&
          op->command->library == found)
        sim.refuse(0, "the library is unloaded before " + op->text() + " has run");
  for (const auto &kernel : sim.kernels.all())
    if (kernel->library == found)
      sim.kernels.remove(*kernel);
  sim.libraries.remove(*found);
  return cudaSuccess;
}

static int cudaLibraryGetKernel(Sim &sim, gpu::Kernel *kernel, gpu::Library library, const char *name) {
  *kernel = nullptr;
  LoadedLibrary *found = sim.need(sim.libraries, library, "the library");
  if (!found)
    return cudaErrorInvalidResourceHandle;
  const auto twin = llvm::find_if(*found->twins, [&](const KernelTwin &twin) { return twin.name == name; });
  if (twin == found->twins->end())
    return cudaErrorSymbolNotFound;
  LoadedKernel &made = sim.kernels.add();
  made.library = found;
  made.twin = &*twin;
  *kernel = reinterpret_cast<gpu::Kernel>(&made);
  return cudaSuccess;
}

// What a GPU's limits make of a launch.
static int checkShape(const KernelTwin &twin, gpu::Dim3 grid, gpu::Dim3 block, size_t sharedBytes) {
  const int64_t threads = int64_t(block.x) * block.y * block.z;
  if (threads < 1 || threads > mostThreads || grid.x < 1 || grid.x > mostBlocks || grid.y < 1 || grid.z < 1 ||
      grid.y > 65535 || grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  return int64_t(sharedBytes) + twin.workgroupBytes > mostWorkgroupBytes ? cudaErrorInvalidValue
                                                                         : cudaSuccess;
}

static Command launchCommand(Sim &sim, const LoadedKernel &kernel, TwinLaunch launch) {
  constexpr double bytesPerSecond = 1e12;
  Command command;
  command.kind = Command::Kind::Kernel;
  command.label = "kernel '" + kernel.twin->name + "'";
  command.library = kernel.library;
  for (auto [argument, address] : llvm::zip(kernel.twin->arguments, launch.arguments)) {
    const Region region = Region::contiguous(address, size_t(argument.bytes));
    if (argument.reads)
      command.accesses.push_back({region, /*writes=*/false});
    if (argument.writes)
      command.accesses.push_back({region, /*writes=*/true});
    command.seconds += double(argument.bytes) / bytesPerSecond;
  }
  command.run = [&sim, launch = std::move(launch), twins = kernel.library->twins](const Op &op) {
    const auto host = [&](const void *address) { return sim.memory.host(address); };
    const std::string problem = runTwin(launch, host, sim.options.checkKernels, sim.random);
    if (!problem.empty())
      sim.violation(op.text() + ": " + problem);
  };
  return command;
}

static int cudaLaunchKernel(Sim &sim, const void *kernel, gpu::Dim3 grid, gpu::Dim3 block, void **arguments,
                            size_t sharedBytes, gpu::Stream stream) {
  const LoadedKernel *found = sim.need(sim.kernels, kernel, "the kernel");
  Queue *queue = sim.needOwnStream(stream);
  if (!found)
    return cudaErrorInvalidDeviceFunction;
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  if (int status = checkShape(*found->twin, grid, block, sharedBytes))
    return status;
  if (grid.y * grid.z * block.y * block.z != 1)
    return sim.refuse(cudaErrorInvalidValue, "the double runs kernels with one-dimensional grids and blocks");
  TwinLaunch launch;
  launch.twin = found->twin;
  for (size_t i = 0; i < found->twin->arguments.size(); ++i)
    launch.arguments.push_back(*static_cast<void **>(arguments[i]));
  launch.blocks = grid.x;
  launch.threads = block.x;
  launch.dynamicBytes = int64_t(sharedBytes);
  return sim.submit(*queue, launchCommand(sim, *found, std::move(launch)));
}

void addKernelEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaLibraryLoadData);
  PHANTOM_SIM_ENTRY(cudaLibraryUnload);
  PHANTOM_SIM_ENTRY(cudaLibraryGetKernel);
  PHANTOM_SIM_ENTRY(cudaLaunchKernel);
}

} // namespace phantom::rt::sim
