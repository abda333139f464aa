//===- Scheduler.cpp - Which command runs when ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>

using namespace llvm;

namespace phantom::rt::sim {

//===----------------------------------------------------------------------===//
// Choice
//===----------------------------------------------------------------------===//

static bool isReady(Sim &sim, Op &op, bool &progress) {
  if (op.collective)
    return isCollectiveReady(sim, op, progress);
  return !op.awaited || op.awaited->done;
}

static bool forExchanges(const Queue &queue) { return queue.priority < 0; }

std::shared_ptr<Op> Sim::choose(const std::vector<std::shared_ptr<Op>> &candidates) {
  const auto oldest = [](const std::shared_ptr<Op> &a, const std::shared_ptr<Op> &b) {
    return a->order < b->order;
  };
  switch (options.policy) {
  case SchedulePolicy::InOrder:
    return *llvm::min_element(candidates, oldest);
  case SchedulePolicy::ComputeFirst:
  case SchedulePolicy::ExchangeFirst: {
    const bool exchange = options.policy == SchedulePolicy::ExchangeFirst;
    std::vector<std::shared_ptr<Op>> preferred;
    llvm::copy_if(candidates, std::back_inserter(preferred),
                  [&](const std::shared_ptr<Op> &op) { return forExchanges(*op->queue) == exchange; });
    const auto &among = preferred.empty() ? candidates : preferred;
    return among[random() % among.size()];
  }
  case SchedulePolicy::Priorities: {
    std::shared_ptr<Op> chosen = *llvm::max_element(
        candidates, [](const auto &a, const auto &b) { return a->queue->chance < b->queue->chance; });
    // A change point: from here on the others go first.
    if (random() % 16 == 0)
      chosen->queue->chance = -int64_t(chosen->order);
    return chosen;
  }
  case SchedulePolicy::Random:
    return candidates[random() % candidates.size()];
  }
  llvm_unreachable("unknown policy");
}

// Whether a policy runs the queue's commands before anything waits for them.
static bool isEager(SchedulePolicy policy, const Queue &queue) {
  switch (policy) {
  case SchedulePolicy::InOrder:
    return true;
  case SchedulePolicy::ComputeFirst:
    return !forExchanges(queue);
  case SchedulePolicy::ExchangeFirst:
    return forExchanges(queue);
  case SchedulePolicy::Priorities:
  case SchedulePolicy::Random:
    return true;
  }
  llvm_unreachable("unknown policy");
}

bool Sim::step(bool unasked) {
  bool progress = false;
  std::vector<std::shared_ptr<Op>> candidates;
  for (const auto &queue : queues.all())
    if (!queue->ops.empty() && (!unasked || isEager(options.policy, *queue)) &&
        isReady(*this, *queue->ops.front(), progress))
      candidates.push_back(queue->ops.front());
  if (candidates.empty())
    return progress;
  run(*choose(candidates));
  return true;
}

void Sim::runUnasked() {
  const bool some = options.policy == SchedulePolicy::Priorities || options.policy == SchedulePolicy::Random;
  if (some) {
    if (random() % 4 == 0)
      step(/*unasked=*/true);
    return;
  }
  while (step(/*unasked=*/true))
    ;
}

void Sim::poll() {
  for (uint64_t steps = 1 + random() % 3; steps > 0; --steps)
    if (!step(/*unasked=*/false))
      reportDeadlock();
}

int Sim::wait(const std::shared_ptr<Op> &op) {
  ++counts.hostWaits;
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  while (!op->done) {
    if (int status = devices[op->queue->device].status)
      return status;
    if (step(/*unasked=*/false))
      continue;
    if (reportDeadlock())
      return cudaErrorLaunchTimeout;
    if (std::chrono::duration<double>(Clock::now() - begin).count() > options.hangSeconds)
      return refuse(cudaErrorLaunchTimeout, "hangs: " + op->text() + " waits for what does not come");
    pause();
  }
  observe(*op);
  return devices[op->queue->device].status;
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

VectorClock Sim::clockBefore(const Op &op) const {
  VectorClock before = op.queue->clock;
  before.join(op.host);
  if (op.awaited)
    before.join(op.awaited->clock);
  return before;
}

double Sim::beginOf(const Op &op) const {
  return op.awaited ? std::max(op.queue->time, op.awaited->end) : op.queue->time;
}

void Sim::run(Op &op) {
  if (op.collective) {
    runCollective(*this, *op.collective);
    return;
  }
  const VectorClock before = clockBefore(op);
  runWork(op, before);
  finish(op, before, beginOf(op));
}

bool allLive(Memory &memory, const Command &command) {
  return llvm::all_of(command.accesses, [&](const Access &access) {
    if (access.region.empty())
      return true;
    const Allocation *allocation = memory.find(reinterpret_cast<const void *>(access.region.begin));
    return allocation && allocation->live;
  });
}

// What a command wrote to pinned memory was not the host's doing.
void Sim::rehashSources(const Command &command) {
  if (command.kind != Command::Kind::Copy)
    return;
  for (const Access &access : command.accesses)
    for (const auto &queue : queues.all())
      for (const std::shared_ptr<Op> &op : queue->ops)
        if (access.writes && op->command->hostSource && overlap(access.region, *op->command->hostSource))
          op->sourceHash = hashOf(*op->command->hostSource);
}

void Sim::runWork(Op &op, const VectorClock &before) {
  const Command &command = *op.command;
  Device &device = devices[op.queue->device];
  if (!command.run || device.status != 0 || !allLive(memory, command))
    return;
  if (command.kind == Command::Kind::Kernel && ++kernelsRun == options.faults.failedKernel) {
    device.status = cudaErrorLaunchFailure;
    return;
  }
  checkOrder(op, before);
  if (command.hostSource && hashOf(*command.hostSource) != op.sourceHash)
    violation("the host wrote to pinned memory before " + op.text() + ", which copies it, had run");
  command.run(op);
  rehashSources(command);
  counts.kernels += command.kind == Command::Kind::Kernel;
  counts.gemms += command.kind == Command::Kind::Gemm;
  counts.copies += command.kind == Command::Kind::Copy;
}

void Sim::finish(Op &op, const VectorClock &before, double begin) {
  constexpr double watts = 300;
  Queue &queue = *op.queue;
  queue.clock = before;
  queue.clock.set(queue.index, op.place);
  queue.time = begin + op.command->seconds;
  devices[queue.device].joules += watts * op.command->seconds;
  op.clock = queue.clock;
  op.end = queue.time;
  op.done = true;
  queue.ops.pop_front();
}

void Sim::drop(const std::shared_ptr<Op> &op) {
  llvm::erase(op->queue->ops, op);
  op->clock = op->queue->clock;
  op->end = op->queue->time;
  op->done = true;
}

} // namespace phantom::rt::sim
