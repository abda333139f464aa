//===- StreamEntries.cpp - Streams ----------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

using namespace llvm;

namespace phantom::rt::sim {

static int cudaStreamCreateWithPriority(Sim &sim, gpu::Stream *stream, unsigned, int priority) {
  if (sim.devices.empty())
    return cudaErrorNoDevice;
  Device &device = sim.devices[sim.currentDevice()];
  if (device.status != 0)
    return device.status;
  Queue &queue = sim.addQueue(sim.currentDevice(), std::clamp(priority, -5, 0),
                              ("stream " + Twine(device.streams++)).str());
  *stream = reinterpret_cast<gpu::Stream>(&queue);
  return cudaSuccess;
}

static int cudaStreamDestroy(Sim &sim, gpu::Stream stream) {
  Queue *queue = sim.needStream(stream);
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  if (queue->capture) {
    queue->capture->spoilt = true;
    return sim.refuse(cudaErrorStreamCaptureUnsupported, queue->name + " records a graph");
  }
  // What is queued still runs.
  sim.queues.remove(*queue);
  return cudaSuccess;
}

// A stream that the host may ask about; null, with a status.
static Queue *needFinished(Sim &sim, gpu::Stream stream, int &status) {
  Queue *queue = sim.needStream(stream);
  status = queue ? sim.devices[queue->device].status : int(cudaErrorInvalidResourceHandle);
  if (status != cudaSuccess)
    return nullptr;
  if (!queue->capture)
    return queue;
  queue->capture->spoilt = true;
  status = sim.refuse(cudaErrorStreamCaptureUnsupported, queue->name + " records a graph");
  return nullptr;
}

static int cudaStreamQuery(Sim &sim, gpu::Stream stream) {
  int status;
  Queue *queue = needFinished(sim, stream, status);
  if (!queue)
    return status;
  sim.poll();
  if (sim.devices[queue->device].status != 0)
    return sim.devices[queue->device].status;
  if (!queue->last)
    return cudaSuccess;
  if (!queue->last->done)
    return cudaErrorNotReady;
  sim.observe(*queue->last);
  return cudaSuccess;
}

static int cudaStreamSynchronize(Sim &sim, gpu::Stream stream) {
  int status;
  Queue *queue = needFinished(sim, stream, status);
  if (!queue)
    return status;
  return queue->last ? sim.wait(queue->last) : int(cudaSuccess);
}

void addStreamEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaStreamCreateWithPriority);
  PHANTOM_SIM_ENTRY(cudaStreamDestroy);
  PHANTOM_SIM_ENTRY(cudaStreamQuery);
  PHANTOM_SIM_ENTRY(cudaStreamSynchronize);
}

} // namespace phantom::rt::sim
