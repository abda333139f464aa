//===- CaptureEntries.cpp - Begin and end of recording a graph ------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::rt::sim {

size_t Capture::add(size_t branch, std::shared_ptr<const Command> command, size_t awaited) {
  Node node;
  node.branch = branch;
  node.awaited = awaited;
  VectorClock &clock = clocks[branch];
  if (command->kind == Command::Kind::Wait)
    clock.join(nodes[awaited].before);
  clock.set(branch, clock.at(branch) + 1);
  node.before = clock;
  node.command = std::move(command);
  nodes.push_back(std::move(node));
  return nodes.size() - 1;
}

size_t Capture::branchOf(const Queue &queue) const {
  return size_t(llvm::find(streams, &queue) - streams.begin());
}

static int cudaStreamBeginCapture(Sim &sim, gpu::Stream stream, int mode) {
  Queue *queue = sim.needStream(stream);
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  if (mode < cudaStreamCaptureModeGlobal || mode > cudaStreamCaptureModeRelaxed)
    return sim.refuse(cudaErrorInvalidValue, "there is no capture mode " + Twine(mode));
  if (queue->capture) {
    queue->capture->spoilt = true;
    return sim.refuse(cudaErrorInvalidValue, queue->name + " records a graph already");
  }
  if (int status = sim.devices[queue->device].status)
    return status;
  auto capture = std::make_shared<Capture>();
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->streams.push_back(queue);
  capture->clocks.emplace_back();
  queue->capture = capture;
  sim.captures.push_back(std::move(capture));
  return cudaSuccess;
}

// The stream whose last commands the first stream does not wait for; null: there is none.
static const Queue *unjoined(const Capture &capture) {
  for (size_t branch = 1; branch < capture.streams.size(); ++branch)
    if (capture.clocks.front().at(branch) < capture.clocks[branch].at(branch))
      return capture.streams[branch];
  return nullptr;
}

static int cudaStreamEndCapture(Sim &sim, gpu::Stream stream, gpu::Graph *graph) {
  Queue *queue = sim.needStream(stream);
  *graph = nullptr;
  if (!queue)
    return cudaErrorInvalidResourceHandle;
  const std::shared_ptr<Capture> capture = queue->capture;
  if (!capture)
    return sim.refuse(cudaErrorInvalidValue, queue->name + " records no graph");
  if (capture->streams.front() != queue)
    return sim.refuse(cudaErrorStreamCaptureUnmatched,
                      queue->name + " did not begin the graph: " + capture->streams.front()->name + " did");
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
    return sim.refuse(cudaErrorStreamCaptureWrongThread, "another thread began the graph");
  capture->open = false;
  for (Queue *member : capture->streams)
    member->capture = nullptr;
  llvm::erase(sim.captures, capture);
  if (capture->spoilt)
    return cudaErrorStreamCaptureInvalidated;
  if (const Queue *left = unjoined(*capture))
    return sim.refuse(cudaErrorStreamCaptureUnjoined,
                      "the graph ends, but " + queue->name + " does not wait for all of " + left->name);
  Graph &made = sim.graphs.add();
  made.capture = capture;
  *graph = reinterpret_cast<gpu::Graph>(&made);
  return cudaSuccess;
}

void addCaptureEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaStreamBeginCapture);
  PHANTOM_SIM_ENTRY(cudaStreamEndCapture);
}

} // namespace phantom::rt::sim
