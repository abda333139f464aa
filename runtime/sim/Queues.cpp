//===- Queues.cpp - What is queued, and whether it may be -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace phantom::rt::sim {

uint64_t hashOf(const Region &host) {
  return xxh3_64bits(ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(host.begin), host.width));
}

std::string Op::text() const {
  return (Twine(command->label) + " (device " + Twine(queue->device) + ", " + queue->name + ", command " +
          Twine(place) + ")")
      .str();
}

Queue &Sim::addQueue(int device, int priority, std::string name) {
  Queue &queue = queues.add();
  queue.index = queues.all().size() - 1;
  queue.device = device;
  queue.priority = priority;
  queue.name = std::move(name);
  queue.chance = int64_t(random() >> 2);
  return queue;
}

Queue *Sim::needStream(const void *handle) {
  Queue *queue = need(queues, handle, "the stream");
  if (queue && queue->issuing)
    refuse(0, queue->name +
                  " is used while a collective on it is still ncclInProgress: poll ncclCommGetAsyncError "
                  "until it gives ncclSuccess");
  return queue;
}

Queue *Sim::needOwnStream(const void *handle) {
  Queue *queue = needStream(handle);
  if (!queue || queue->device == currentDevice())
    return queue;
  refuse(0, queue->name + " is of device " + Twine(queue->device) + ", but device " + Twine(currentDevice()) +
                " is current");
  return nullptr;
}

int Sim::forbiddenByCapture() {
  for (const std::shared_ptr<Capture> &capture : captures) {
    const bool own = capture->thread == std::this_thread::get_id();
    if (capture->mode == cudaStreamCaptureModeRelaxed ||
        (capture->mode == cudaStreamCaptureModeThreadLocal && !own))
      continue;
    capture->spoilt = true;
    return refuse(cudaErrorStreamCaptureUnsupported,
                  "not allowed while " + capture->streams.front()->name + " of device " +
                      Twine(capture->streams.front()->device) + " records a graph");
  }
  return cudaSuccess;
}

int Sim::submit(Queue &queue, Command command) {
  if (int status = devices[queue.device].status)
    return status;
  auto shared = std::make_shared<const Command>(std::move(command));
  if (queue.capture) {
    if (!mayTouch(*shared, queue.device))
      return cudaErrorInvalidValue;
    queue.capture->add(queue.capture->branchOf(queue), std::move(shared));
    return cudaSuccess;
  }
  if (!enqueue(queue, std::move(shared)))
    return cudaErrorInvalidValue;
  runUnasked();
  return cudaSuccess;
}

std::shared_ptr<Op> Sim::enqueue(Queue &queue, std::shared_ptr<const Command> command,
                                 std::shared_ptr<Op> awaited) {
  if (!mayTouch(*command, queue.device))
    return nullptr;
  auto op = std::make_shared<Op>();
  op->command = std::move(command);
  op->queue = &queue;
  op->place = ++queue.queued;
  op->order = ++commandsQueued;
  op->host = hostClock;
  op->awaited = std::move(awaited);
  if (op->command->collective && !joinCollective(*this, op))
    return nullptr;
  if (op->command->hostSource)
    op->sourceHash = hashOf(*op->command->hostSource);
  queue.ops.push_back(op);
  queue.last = op;
  return op;
}

// Why a command may not touch memory that it asks for; "": it may.
static std::string whyNot(const Access &access, const Allocation *allocation, const Command &command,
                          int device) {
  const std::string verb = command.label + (access.writes ? " writes " : " reads ");
  if (!allocation)
    return (verb + Twine(access.region.end() - access.region.begin) +
            " bytes at an address that is no memory of a device")
        .str();
  const std::string what = verb + textOf(access.region, *allocation);
  if (!allocation->live)
    return what + ", which is freed";
  if (access.region.end() > allocation->begin + allocation->bytes)
    return what + ": behind its end";
  return (what + " from device " + Twine(device)).str();
}

bool Sim::mayTouch(const Command &command, int device) {
  for (const Access &access : command.accesses) {
    if (access.region.empty())
      continue;
    const Allocation *allocation = memory.find(reinterpret_cast<const void *>(access.region.begin));
    const bool inside =
        allocation && allocation->live && access.region.end() <= allocation->begin + allocation->bytes;
    if (inside && (command.kind == Command::Kind::Copy || allocation->device == device))
      continue;
    refuse(0, whyNot(access, allocation, command, device));
    return false;
  }
  return true;
}

void Sim::unused(const Allocation &allocation, const Region &region) {
  // A device that has failed does nothing any more.
  for (const auto &queue : queues.all())
    for (const std::shared_ptr<Op> &op : queue->ops)
      for (const Access &access : op->command->accesses)
        if (devices[queue->device].status == 0 && overlap(access.region, region)) {
          refuse(0, allocation.text() + " is given up before " + op->text() + " has run, which uses it");
          return;
        }
  for (const Allocation::Touch &touch : allocation.touches)
    if (devices[touch.device].status == 0 && hostClock.at(touch.queue) < touch.tick &&
        overlap(touch.access.region, region)) {
      refuse(0, allocation.text() + " is given up, and nothing has waited for " + touch.text +
                    ", which uses it");
      return;
    }
}

} // namespace phantom::rt::sim
