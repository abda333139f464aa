//===- EventEntries.cpp - Events ------------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

using namespace llvm;

namespace phantom::rt::sim {

static Command mark(Command::Kind kind, const char *label) {
  Command command;
  command.kind = kind;
  command.label = label;
  command.seconds = 0;
  return command;
}

static int cudaEventCreateWithFlags(Sim &sim, gpu::Event *event, unsigned flags) {
  if (sim.devices.empty())
    return cudaErrorNoDevice;
  Event &made = sim.events.add();
  made.device = sim.currentDevice();
  made.timing = !(flags & cudaEventDisableTiming);
  *event = reinterpret_cast<gpu::Event>(&made);
  return sim.devices[made.device].status;
}

static int cudaEventDestroy(Sim &sim, gpu::Event event) {
  Event *found = sim.need(sim.events, event, "the event");
  if (!found)
    return cudaErrorInvalidResourceHandle;
  sim.events.remove(*found);
  return cudaSuccess;
}

static int cudaEventRecord(Sim &sim, gpu::Event event, gpu::Stream stream) {
  Event *found = sim.need(sim.events, event, "the event");
  Queue *queue = sim.needStream(stream);
  if (!found || !queue)
    return cudaErrorInvalidResourceHandle;
  if (found->device != queue->device)
    return sim.refuse(cudaErrorInvalidResourceHandle, "the event is of device " + Twine(found->device) +
                                                          ", but the stream of device " +
                                                          Twine(queue->device));
  if (int status = sim.devices[queue->device].status)
    return status;
  auto command = std::make_shared<const Command>(mark(Command::Kind::Record, "record of an event"));
  found->capture = queue->capture;
  if (Capture *capture = queue->capture.get()) {
    found->node = capture->add(capture->branchOf(*queue), std::move(command));
    return cudaSuccess;
  }
  found->record = sim.enqueue(*queue, std::move(command));
  sim.runUnasked();
  return cudaSuccess;
}

// A wait of a stream that records a graph, or begins to with this wait.
static int waitInCapture(Sim &sim, Queue &queue, const Event &event, std::shared_ptr<const Command> command) {
  if (!event.capture) {
    queue.capture->spoilt = true;
    return sim.refuse(cudaErrorStreamCaptureIsolation,
                      queue.name + " records a graph, and the event was recorded outside of it");
  }
  if (!event.capture->open)
    return sim.refuse(cudaErrorCapturedEvent, "the event was recorded in a graph that is finished");
  if (queue.capture && queue.capture != event.capture) {
    queue.capture->spoilt = event.capture->spoilt = true;
    return sim.refuse(cudaErrorStreamCaptureMerge,
                      queue.name + " and the event's stream record different graphs");
  }
  if (!queue.capture) {
    queue.capture = event.capture;
    event.capture->streams.push_back(&queue);
    event.capture->clocks.emplace_back();
  }
  event.capture->add(event.capture->branchOf(queue), std::move(command), event.node);
  return cudaSuccess;
}

static int cudaStreamWaitEvent(Sim &sim, gpu::Stream stream, gpu::Event event, unsigned flags) {
  Queue *queue = sim.needStream(stream);
  Event *found = sim.need(sim.events, event, "the event");
  if (!found || !queue)
    return cudaErrorInvalidResourceHandle;
  if (flags != 0)
    return sim.refuse(cudaErrorInvalidValue, "the double knows no flags of waits but 0");
  if (int status = sim.devices[queue->device].status)
    return status;
  auto command = std::make_shared<const Command>(mark(Command::Kind::Wait, "wait for an event"));
  if (!found->record && !found->capture) {
    sim.refuse(0, queue->name + " of device " + Twine(queue->device) +
                      " waits for an event that was never recorded, which waits for nothing");
    return cudaSuccess;
  }
  if (queue->capture || found->capture)
    return waitInCapture(sim, *queue, *found, std::move(command));
  sim.enqueue(*queue, std::move(command), found->record);
  sim.runUnasked();
  return cudaSuccess;
}

// Whether the host may ask about the event; not 0: a status.
static int checkAsked(Sim &sim, const Event &event) {
  if (event.capture) {
    event.capture->spoilt = true;
    return sim.refuse(cudaErrorCapturedEvent, "the event was recorded in a graph");
  }
  if (!event.record)
    sim.refuse(0, "the event was never recorded");
  return sim.devices[event.device].status;
}

static int cudaEventQuery(Sim &sim, gpu::Event event) {
  Event *found = sim.need(sim.events, event, "the event");
  if (!found)
    return cudaErrorInvalidResourceHandle;
  if (int status = checkAsked(sim, *found))
    return status;
  if (int status = sim.forbiddenByCapture())
    return status;
  sim.poll();
  if (int status = sim.devices[found->device].status)
    return status;
  if (!found->record)
    return cudaSuccess;
  if (!found->record->done)
    return cudaErrorNotReady;
  sim.observe(*found->record);
  return cudaSuccess;
}

static int cudaEventElapsedTime(Sim &sim, float *milliseconds, gpu::Event begin, gpu::Event end) {
  Event *first = sim.need(sim.events, begin, "the first event"),
        *last = sim.need(sim.events, end, "the last event");
  if (!first || !last)
    return cudaErrorInvalidResourceHandle;
  for (const Event *event : {first, last}) {
    if (int status = checkAsked(sim, *event))
      return status;
    if (!event->record)
      return cudaErrorInvalidResourceHandle;
    if (!event->timing)
      return sim.refuse(cudaErrorInvalidResourceHandle, "the event was created without timing");
  }
  if (!first->record->done || !last->record->done)
    return cudaErrorNotReady;
  sim.observe(*first->record);
  sim.observe(*last->record);
  *milliseconds = float(1e3 * (last->record->end - first->record->end));
  return cudaSuccess;
}

void addEventEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaEventCreateWithFlags);
  PHANTOM_SIM_ENTRY(cudaEventDestroy);
  PHANTOM_SIM_ENTRY(cudaEventRecord);
  PHANTOM_SIM_ENTRY(cudaStreamWaitEvent);
  PHANTOM_SIM_ENTRY(cudaEventQuery);
  PHANTOM_SIM_ENTRY(cudaEventElapsedTime);
}

} // namespace phantom::rt::sim
