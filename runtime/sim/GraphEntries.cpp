//===- GraphEntries.cpp - Graphs that are finished ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

using namespace llvm;

namespace phantom::rt::sim {

static int cudaGraphInstantiate(Sim &sim, gpu::GraphExec *exec, gpu::Graph graph, unsigned long long) {
  Graph *found = sim.need(sim.graphs, graph, "the graph");
  if (!found)
    return cudaErrorInvalidValue;
  GraphExec &made = sim.graphExecs.add();
  made.capture = found->capture;
  const std::string name = ("graph " + Twine(sim.graphExecs.all().size() - 1)).str();
  for (size_t branch = 0; branch < found->capture->streams.size(); ++branch) {
    const Queue &stream = *found->capture->streams[branch];
    Queue &queue =
        sim.addQueue(stream.device, stream.priority, ("branch " + Twine(branch) + " of " + name).str());
    sim.queues.remove(queue);
    made.branches.push_back(&queue);
  }
  *exec = reinterpret_cast<gpu::GraphExec>(&made);
  return cudaSuccess;
}

static std::shared_ptr<const Command> mark(Command::Kind kind, const char *label) {
  auto command = std::make_shared<Command>();
  command->kind = kind;
  command->label = label;
  command->seconds = 0;
  return command;
}

// Queues the commands of all branches, between the stream's earlier commands and its later ones.
static bool queueGraph(Sim &sim, const GraphExec &exec, Queue &stream) {
  using Kind = Command::Kind;
  const std::shared_ptr<Op> begin = sim.enqueue(stream, mark(Kind::Record, "begin of a graph"));
  for (Queue *branch : exec.branches)
    sim.enqueue(*branch, mark(Kind::Wait, "wait for the begin of a graph"), begin);
  std::vector<std::shared_ptr<Op>> ops;
  for (const Capture::Node &node : exec.capture->nodes) {
    const bool waits = node.command->kind == Kind::Wait;
    ops.push_back(
        sim.enqueue(*exec.branches[node.branch], node.command, waits ? ops[node.awaited] : nullptr));
    if (!ops.back())
      return false;
  }
  const std::shared_ptr<Op> end = sim.enqueue(*exec.branches.front(), mark(Kind::Record, "end of a graph"));
  sim.enqueue(stream, mark(Kind::Wait, "wait for the end of a graph"), end);
  return true;
}

static int cudaGraphLaunch(Sim &sim, gpu::GraphExec exec, gpu::Stream stream) {
  GraphExec *found = sim.need(sim.graphExecs, exec, "the instantiated graph");
  Queue *queue = sim.needStream(stream);
  if (!found || !queue)
    return cudaErrorInvalidResourceHandle;
  if (int status = sim.devices[queue->device].status)
    return status;
  if (queue->capture) {
    queue->capture->spoilt = true;
    return sim.refuse(cudaErrorStreamCaptureUnsupported, "the double has no graphs in graphs");
  }
  if (!queueGraph(sim, *found, *queue))
    return cudaErrorInvalidValue;
  sim.runUnasked();
  return cudaSuccess;
}

static int cudaGraphExecDestroy(Sim &sim, gpu::GraphExec exec) {
  GraphExec *found = sim.need(sim.graphExecs, exec, "the instantiated graph");
  if (!found)
    return cudaErrorInvalidValue;
  sim.graphExecs.remove(*found);
  return cudaSuccess;
}

static int cudaGraphDestroy(Sim &sim, gpu::Graph graph) {
  Graph *found = sim.need(sim.graphs, graph, "the graph");
  if (!found)
    return cudaErrorInvalidValue;
  sim.graphs.remove(*found);
  return cudaSuccess;
}

void addGraphEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cudaGraphInstantiate);
  PHANTOM_SIM_ENTRY(cudaGraphLaunch);
  PHANTOM_SIM_ENTRY(cudaGraphExecDestroy);
  PHANTOM_SIM_ENTRY(cudaGraphDestroy);
}

} // namespace phantom::rt::sim
