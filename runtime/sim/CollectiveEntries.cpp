//===- CollectiveEntries.cpp - NCCL's collectives -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

using namespace llvm;

namespace phantom::rt::sim {

using Kind = CollectiveCall::Kind;

// What is wrong with the buffers of a call; "": nothing.
static std::string checkBuffers(const CollectiveCall &call) {
  const auto send = reinterpret_cast<uintptr_t>(call.send),
             receive = reinterpret_cast<uintptr_t>(call.receive);
  const size_t width = ncclTypeBytes(call.type), block = call.count * width;
  if (send % width != 0 || receive % width != 0)
    return "the address of a buffer is no multiple of the element's " + std::to_string(width) + " bytes";
  const std::vector<Access> accesses = accessesOf(call);
  if (!overlap(accesses[0].region, accesses[1].region))
    return "";
  const size_t slot = size_t(call.communicator->rank) * block;
  switch (call.kind) {
  case Kind::AllGather:
    return send == receive + slot
               ? ""
               : "the buffers overlap, and the one to send is not this rank's slot of the other";
  case Kind::ReduceScatter:
    return receive == send + slot
               ? ""
               : "the buffers overlap, and the result is not this rank's block of the other";
  case Kind::AllReduce:
    return send == receive ? "" : "the buffers overlap, and are not the same";
  case Kind::AllToAll:
    return "the buffers overlap, and an all-to-all is never in place";
  }
  return "";
}

static int collective(Sim &sim, CollectiveCall call, gpu::Comm handle, gpu::Stream stream) {
  Communicator *communicator = sim.need(sim.nccl.communicators, handle, "the communicator");
  Queue *queue = sim.needOwnStream(stream);
  if (!communicator || !queue)
    return ncclInvalidArgument;
  if (int status = checkReady(sim, *communicator)) {
    // The graph would lack the collective.
    if (queue->capture)
      queue->capture->spoilt = true;
    return status;
  }
  call.communicator = communicator;
  if (communicator->device != queue->device)
    return sim.refuse(ncclInvalidArgument, "the communicator is of device " + Twine(communicator->device) +
                                               ", but the stream of device " + Twine(queue->device));
  if (ncclTypeBytes(call.type) == 0)
    return sim.refuse(ncclInvalidArgument, "there is no element type " + Twine(call.type));
  if (call.isReduction() && !canReduce(call.type, call.operation))
    return sim.refuse(ncclInvalidArgument, "the double does not reduce type " + Twine(call.type) +
                                               " by operation " + Twine(call.operation));
  if (const std::string problem = checkBuffers(call); !problem.empty())
    return sim.refuse(ncclInvalidArgument, textOf(call) + ": " + problem);
  constexpr double latency = 5e-6, bytesPerSecond = 2e11;
  Command command;
  command.kind = Command::Kind::Collective;
  command.label = textOf(call);
  command.accesses = accessesOf(call);
  command.collective = call;
  command.seconds = latency;
  for (const Access &access : command.accesses)
    command.seconds += double(access.region.width) / bytesPerSecond;
  if (sim.submit(*queue, std::move(command)) != cudaSuccess)
    return sim.devices[queue->device].status != 0 ? ncclUnhandledCudaError : ncclInvalidUsage;
  if (communicator->blocking || sim.options.ncclPolls == 0)
    return ncclSuccess;
  communicator->polls = sim.options.ncclPolls;
  communicator->issuingOn = queue;
  queue->issuing = communicator;
  return ncclInProgress;
}

static int ncclAllGather(Sim &sim, const void *send, void *receive, size_t count, int type, gpu::Comm comm,
                         gpu::Stream stream) {
  return collective(sim, {Kind::AllGather, nullptr, send, receive, count, type, 0}, comm, stream);
}

static int ncclReduceScatter(Sim &sim, const void *send, void *receive, size_t count, int type, int operation,
                             gpu::Comm comm, gpu::Stream stream) {
  return collective(sim, {Kind::ReduceScatter, nullptr, send, receive, count, type, operation}, comm, stream);
}

static int ncclAllReduce(Sim &sim, const void *send, void *receive, size_t count, int type, int operation,
                         gpu::Comm comm, gpu::Stream stream) {
  return collective(sim, {Kind::AllReduce, nullptr, send, receive, count, type, operation}, comm, stream);
}

static int ncclAlltoAll(Sim &sim, const void *send, void *receive, size_t count, int type, gpu::Comm comm,
                        gpu::Stream stream) {
  return collective(sim, {Kind::AllToAll, nullptr, send, receive, count, type, 0}, comm, stream);
}

void addCollectiveEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(ncclAllGather);
  PHANTOM_SIM_ENTRY(ncclReduceScatter);
  PHANTOM_SIM_ENTRY(ncclAllReduce);
  PHANTOM_SIM_ENTRY(ncclAlltoAll);
}

} // namespace phantom::rt::sim
