//===- GpuExecutor.h - Runs a function's command list on a GPU ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_GPUEXECUTOR_H
#define PHANTOM_RT_LIB_CUDA_GPUEXECUTOR_H

#include "GpuRank.h"
#include "MeasureMatmuls.h"
#include "phantom-rt/CommandTiming.h"

#include <variant>

namespace phantom::rt::gpu {

/// The shared arguments of a function in pinned host memory; all ranks copy them as one piece.
struct HostArguments {
  const std::byte *memory = nullptr; ///< of the run to come
  std::vector<int64_t> offsets;      ///< by argument
  int64_t bytes = 0;
};

struct BoundGemm {
  Matmul matmul;
  const void *a, *b;
  void *d;
  StreamKind stream;
};
struct BoundLaunch {
  const KernelCommand *command;
  size_t firstArgument; ///< in GpuExecutor's list
};
struct BoundExchangeCommand {
  BoundCollective collective;
  StreamKind stream;
};
using BoundCommand =
    std::variant<BoundGemm, BoundLaunch, BoundExchangeCommand, EventRecordCommand, EventWaitCommand>;

/// A function bound to one rank's GPU. A run copies the arguments there, queues all commands and copies the
/// results back, and waits once, at the end. The second run captures all but the copy of the arguments, which
/// may come from elsewhere the next time, in a graph, which later runs launch.
class GpuExecutor {
public:
  /// Allocates what a run needs; `bind` is to be called before runs. `function` and `arguments` outlive the
  /// executor.
  static llvm::Expected<std::unique_ptr<GpuExecutor>> create(GpuRank &rank, const Function &function,
                                                             const HostArguments &arguments, bool useGraphs);

  ~GpuExecutor();

  /// Measures the products of the function that `measured` does not have, while no rank runs.
  llvm::Error measure(MeasuredMatmuls &measured, const std::function<void(const GemmMeasurement &)> &report);

  /// Products that were measured get the kernel that was chosen then, others cuBLASLt's first choice.
  llvm::Error bind(const MeasuredMatmuls &measured);

  /// Calls `whileRunning`, if set, once all is queued.
  llvm::Error run(llvm::function_ref<void()> whileRunning);

  /// Host memory of a result, after a run.
  const std::byte *hostResult(size_t index) const { return results + resultOffsets[index]; }

  /// Of the kernels that compute the GEMMs.
  uint64_t choicesHash() const { return choices; }

  /// Where `run` appends what it measures; it queues command by command then. Null: it does not measure.
  std::vector<CommandTiming> *timings = nullptr;

private:
  GpuExecutor(GpuRank &rank, const Function &function, const HostArguments &arguments, bool useGraphs);
  llvm::Error allocate();
  llvm::Error bindCommand(const GemmCommand &command);
  llvm::Error bindCommand(const KernelCommand &command);
  llvm::Error bindCommand(const CollectiveCommand &command);
  llvm::Error bindCommand(const EventRecordCommand &command);
  llvm::Error bindCommand(const EventWaitCommand &command);
  llvm::Error bindCommand(const ExchangeStartCommand &command);
  llvm::Error bindCommand(const ExchangeWaitCommand &command);
  std::byte *address(const BufferRef &ref) const;

  llvm::Error copyArguments();
  llvm::Error copyResults();
  llvm::Error enqueueCommands();
  llvm::Error enqueueCommand(size_t index);
  llvm::Error capture();
  llvm::Error runTimed(llvm::function_ref<void()> whileRunning);
  llvm::Error check(int status, const llvm::Twine &what) const;
  StreamKind streamOf(const BoundCommand &command) const;
  std::string placeInRun() const;

  GpuRank &rank;
  const GpuApi &api;
  const Function &function;
  const HostArguments &arguments;
  const bool useGraphs;
  Owned<void *> argumentMemory, arenaMemory, rankMemory, resultMemory, workspaces[2];
  size_t workspaceBytes[2] = {0, 0};
  std::byte *results = nullptr;
  std::vector<int64_t> resultOffsets;
  std::vector<Owned<Event>> events;
  const MeasuredMatmuls *measured = nullptr; ///< while commands are bound
  std::vector<BoundCommand> commands;
  std::vector<std::string> ranges; ///< by command: what profilers show where it is queued; of events, nothing
  std::vector<void *> kernelArguments;         ///< addresses of buffers, of all kernels one after another
  std::vector<void *> kernelArgumentAddresses; ///< of the elements of `kernelArguments`
  Owned<GraphExec> graph;
  int64_t runs = 0;
  uint64_t choices = 0;
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_GPUEXECUTOR_H
