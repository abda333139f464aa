//===- GpuExecutor.cpp - Runs a function's command list on a GPU ----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuExecutor.h"

#include "Constants.h"
#include "Ranges.h"
#include "phantom-rt/Error.h"

using namespace llvm;

namespace phantom::rt::gpu {

GpuExecutor::GpuExecutor(GpuRank &rank, const Function &function, const HostArguments &arguments,
                         bool useGraphs)
    : rank(rank), api(rank.api()), function(function), arguments(arguments),
      useGraphs(useGraphs && (!rank.communicator() || rank.communicator()->canBeCaptured())) {}

GpuExecutor::~GpuExecutor() { rank.removeGraph(graph); }

Error GpuExecutor::check(int status, const Twine &what) const {
  if (status == 0)
    return Error::success();
  return rank.error(toString(checkCuda(api, status, what)));
}

StreamKind GpuExecutor::streamOf(const BoundCommand &command) const {
  if (const auto *launch = std::get_if<BoundLaunch>(&command))
    return launch->command->stream;
  return std::visit(
      [](const auto &bound) {
        if constexpr (requires { bound.stream; })
          return bound.stream;
        else
          return StreamKind::Compute;
      },
      command);
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

Error GpuExecutor::copyArguments() {
  if (arguments.bytes == 0)
    return Error::success();
  return check(api.cudaMemcpyAsync(argumentMemory.get(), arguments.memory, size_t(arguments.bytes),
                                   cudaMemcpyHostToDevice, rank.stream(StreamKind::Compute)),
               "copying the arguments of '" + function.name + "'");
}

Error GpuExecutor::copyResults() {
  for (size_t i = 0; i < function.results.size(); ++i) {
    const Result &result = function.results[i];
    if (result.type.bytes() == 0)
      continue;
    if (Error error = check(api.cudaMemcpyAsync(results + resultOffsets[i], address(result.buffer),
                                                size_t(result.type.bytes()), cudaMemcpyDeviceToHost,
                                                rank.stream(StreamKind::Compute)),
                            "copying a result of '" + function.name + "'"))
      return error;
  }
  return Error::success();
}

Error GpuExecutor::enqueueCommand(size_t index) {
  const Range range(ranges[index]);
  const BoundCommand &command = commands[index];
  const StreamKind kind = streamOf(command);
  const Stream stream = rank.stream(kind);
  if (const auto *gemm = std::get_if<BoundGemm>(&command))
    return gemm->matmul.enqueue(gemm->a, gemm->b, gemm->d, workspaces[size_t(kind)].get(), stream);
  if (const auto *launch = std::get_if<BoundLaunch>(&command)) {
    const KernelCommand &kernel = *launch->command;
    void **values = kernelArgumentAddresses.data() + launch->firstArgument;
    const Dim3 blocks{unsigned(kernel.shape.blocks), 1, 1}, threads{unsigned(kernel.shape.threads), 1, 1};
    const int status =
        api.cudaLaunchKernel(rank.kernel(kernel.kernel), blocks, threads, values, /*sharedBytes=*/0, stream);
    return status == 0 ? Error::success() : check(status, "starting the " + ranges[index]);
  }
  if (const auto *exchange = std::get_if<BoundExchangeCommand>(&command))
    return rank.communicator()->enqueue(exchange->collective, stream);
  if (const auto *record = std::get_if<EventRecordCommand>(&command))
    return check(api.cudaEventRecord(events[record->event].get(), stream),
                 "recording an event of '" + function.name + "'");
  const auto &wait = std::get<EventWaitCommand>(command);
  return check(api.cudaStreamWaitEvent(stream, events[wait.event].get(), 0),
               "waiting for an event of '" + function.name + "'");
}

Error GpuExecutor::enqueueCommands() {
  for (size_t i = 0; i < commands.size(); ++i)
    if (Error error = enqueueCommand(i))
      return error;
  return copyResults();
}

Error GpuExecutor::capture() {
  const Stream stream = rank.stream(StreamKind::Compute);
  const std::string what = "capturing '" + function.name + "' as a graph";
  if (Error error = check(api.cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), what))
    return error;
  Error failure = enqueueCommands();
  // Also after an error: a stream must not stay in capture.
  Graph captured = nullptr;
  const int status = api.cudaStreamEndCapture(stream, &captured);
  Owned<Graph> whole = own(captured, api.cudaGraphDestroy);
  if (failure)
    return failure;
  if (Error error = check(status, what))
    return error;
  GraphExec executable = nullptr;
  if (Error error = check(api.cudaGraphInstantiate(&executable, captured, 0), what))
    return error;
  graph = own(executable, api.cudaGraphExecDestroy);
  rank.addGraph(graph);
  return Error::success();
}

/// What a run waits for. The events between the exchanges say which are done, where they were not captured.
std::string GpuExecutor::placeInRun() const {
  const std::string end = "the end of '" + function.name + "'";
  if (graph && !timings)
    return end;
  const Exchange *open = nullptr;
  for (const BoundCommand &command : commands) {
    if (const auto *exchange = std::get_if<BoundExchangeCommand>(&command))
      open = open ? open : exchange->collective.exchange;
    const auto *record = std::get_if<EventRecordCommand>(&command);
    if (!record || record->stream != StreamKind::Exchange)
      continue;
    const int status = api.cudaEventQuery(events[record->event].get());
    if (status == cudaErrorNotReady && open)
      return end + ", at the " + describe(*open);
    if (status != 0)
      return end;
    open = nullptr;
  }
  return end;
}

// The first run is not captured: libraries do their own preparations in it.
Error GpuExecutor::run(function_ref<void()> whileRunning) {
  const Range range(function.name);
  if (timings)
    return runTimed(whileRunning);
  if (useGraphs && runs > 0 && !graph)
    if (Error error = capture())
      return error;
  if (Error error = copyArguments())
    return error;
  if (Error error = graph ? check(api.cudaGraphLaunch(graph.get(), rank.stream(StreamKind::Compute)),
                                  "launching '" + function.name + "'")
                          : enqueueCommands())
    return error;
  ++runs;
  if (whileRunning)
    whileRunning();
  return rank.waitFor(StreamKind::Compute, [&] { return placeInRun(); });
}

//===----------------------------------------------------------------------===//
// Measured runs
//===----------------------------------------------------------------------===//

namespace {

struct TimedCommand {
  Owned<Event> begin, end;
};

Expected<Owned<Event>> recordTime(const GpuApi &api, Stream stream) {
  Expected<Owned<Event>> event = createEvent(api, /*timed=*/true);
  if (!event)
    return event.takeError();
  if (Error error = checkCuda(api, api.cudaEventRecord(event->get(), stream), "recording an event"))
    return error;
  return event;
}

} // namespace

Error GpuExecutor::runTimed(function_ref<void()> whileRunning) {
  // Nothing is queued: the event happens now, and before anything else on both streams.
  const auto origin = std::chrono::steady_clock::now();
  Expected<Owned<Event>> first = recordTime(api, rank.stream(StreamKind::Compute));
  if (!first)
    return first.takeError();
  if (Error error = check(api.cudaStreamWaitEvent(rank.stream(StreamKind::Exchange), first->get(), 0),
                          "waiting for the begin of '" + function.name + "'"))
    return error;
  if (Error error = copyArguments())
    return error;
  std::vector<TimedCommand> timed(commands.size());
  for (size_t i = 0; i < commands.size(); ++i) {
    const Stream stream = rank.stream(streamOf(commands[i]));
    if (Error error = recordTime(api, stream).moveInto(timed[i].begin))
      return error;
    if (Error error = enqueueCommand(i))
      return error;
    if (Error error = recordTime(api, stream).moveInto(timed[i].end))
      return error;
  }
  if (Error error = copyResults())
    return error;
  ++runs;
  if (whileRunning)
    whileRunning();
  for (StreamKind kind : {StreamKind::Compute, StreamKind::Exchange})
    if (Error error = rank.waitFor(kind, [&] { return placeInRun(); }))
      return error;
  auto timeOf = [&](Event event, std::chrono::steady_clock::time_point &result) {
    float milliseconds = 0;
    const int status = api.cudaEventElapsedTime(&milliseconds, first->get(), event);
    result = origin + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                          std::chrono::duration<double, std::milli>(milliseconds));
    return check(status, "reading the time of an event");
  };
  for (size_t i = 0; i < commands.size(); ++i) {
    CommandTiming timing;
    timing.command = uint32_t(i);
    if (Error error = timeOf(timed[i].begin.get(), timing.begin))
      return error;
    if (Error error = timeOf(timed[i].end.get(), timing.end))
      return error;
    timings->push_back(timing);
  }
  return Error::success();
}

} // namespace phantom::rt::gpu
