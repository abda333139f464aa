//===- Sim.h - The state of the double --------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_SIM_H
#define PHANTOM_SIM_SIM_H

#include "Blas.h"
#include "Graphs.h"
#include "Handles.h"
#include "Memory.h"
#include "Nccl.h"
#include "Status.h"
#include "Twins.h"
#include "phantom-rt/GpuSim.h"
#include "llvm/ADT/Twine.h"

#include <mutex>
#include <random>

namespace phantom::rt::sim {

enum class Entry : uint8_t {
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) symbol,
#include "phantom-rt/GpuEntryPoints.def"
  Count
};

struct Device {
  int streams = 0; ///< ever created
  int status = 0;  ///< not 0: an error that every later call gives
  double joules = 0;
};

/// Whoever calls its functions holds `mutex`.
class Sim {
public:
  explicit Sim(GpuSimOptions options);

  //===--------------------------------------------------------------------===//
  // Calls (Sim.cpp)
  //===--------------------------------------------------------------------===//

  /// Counts the call; the status of an injected fault, or 0.
  int beginCall(Entry entry);

  /// The calling thread's.
  int currentDevice() const;
  void setCurrentDevice(int device);

  void violation(const llvm::Twine &message);
  /// A violation by the present call; returns `status`.
  int refuse(int status, const llvm::Twine &message);

  /// The object of a handle; null, after a violation, where it is not live.
  template <typename T> T *need(const Handles<T> &handles, const void *handle, const char *what) {
    T *found = handles.find(handle);
    if (!found)
      refuse(0, llvm::Twine(what) + (handle ? " does not exist: it may be destroyed" : " is null"));
    return found;
  }

  /// What lives that should not at the end of a program; "": nothing.
  std::string leaks() const;

  /// Lets other threads call for a moment.
  void pause();

  //===--------------------------------------------------------------------===//
  // Memory (MemoryEntries.cpp)
  //===--------------------------------------------------------------------===//

  /// Memory of the current device; a CUDA status.
  int allocate(Allocation::Kind kind, void **memory, size_t bytes);
  /// Ends the life of memory of this kind that begins at the address; a CUDA status.
  int release(Allocation::Kind kind, void *memory);

  //===--------------------------------------------------------------------===//
  // Queues (Queues.cpp)
  //===--------------------------------------------------------------------===//

  Queue &addQueue(int device, int priority, std::string name);

  /// A stream; null, after a violation, where there is none.
  Queue *needStream(const void *handle);
  /// A stream of the current device, likewise.
  Queue *needOwnStream(const void *handle);

  /// A CUDA status: not 0, after a violation, where the calling thread may not block or ask because of a
  /// capture.
  int forbiddenByCapture();

  /// Queues a command, or adds it to the graph that the stream records. Returns a CUDA status.
  int submit(Queue &queue, Command command);

  /// Queues a command at once; null, after a violation, where it touches what it may not.
  std::shared_ptr<Op> enqueue(Queue &queue, std::shared_ptr<const Command> command,
                              std::shared_ptr<Op> awaited = nullptr);

  /// Whether all that `command` touches is live memory of `device`; reports what is not.
  bool mayTouch(const Command &command, int device);

  /// Reports a command that may still use the bytes of an allocation that are given up.
  void unused(const Allocation &allocation, const Region &region);

  //===--------------------------------------------------------------------===//
  // Running (Scheduler.cpp)
  //===--------------------------------------------------------------------===//

  /// Runs one command, if one can run; `unasked`: if the policy runs one before anything waits for it.
  bool step(bool unasked);
  /// After a command was queued: runs what the policy runs unasked.
  void runUnasked();
  /// A query: runs a few commands.
  void poll();
  /// Runs commands until `op` is done, letting other threads queue theirs. Returns a CUDA status.
  int wait(const std::shared_ptr<Op> &op);
  /// Takes a command out of its queue; it counts as done.
  void drop(const std::shared_ptr<Op> &op);
  /// What is done when a command begins, and the time.
  VectorClock clockBefore(const Op &op) const;
  double beginOf(const Op &op) const;
  /// The first command of its queue has run.
  void finish(Op &op, const VectorClock &before, double begin);
  /// Whether queues wait for each other; reports it once.
  bool reportDeadlock();
  /// The host has seen that `op` is done.
  void observe(const Op &op) { hostClock.join(op.clock); }

  //===--------------------------------------------------------------------===//
  // Order (Races.cpp)
  //===--------------------------------------------------------------------===//

  /// Reports earlier commands that touch the same bytes and are not known to be `before` this one.
  void checkOrder(const Op &op, const VectorClock &before);

  GpuSimOptions options;
  std::mutex mutex;
  std::vector<std::string> violations;
  GpuSimCounts counts;
  std::vector<Device> devices;
  Memory memory;
  Handles<Queue> queues; ///< streams; and branches of graphs, which have no handle
  Handles<Event> events;
  Handles<Graph> graphs;
  Handles<GraphExec> graphExecs;
  Handles<LoadedLibrary> libraries;
  Handles<LoadedKernel> kernels;
  BlasState blas;
  NcclState nccl;
  std::vector<std::shared_ptr<Capture>> captures; ///< that are open
  VectorClock hostClock;                          ///< what the host knows to be done
  std::mt19937_64 random;
  int64_t allocationsMade = 0, kernelsRun = 0, nvmlUsers = 0;
  uint64_t commandsQueued = 0;

private:
  std::shared_ptr<Op> choose(const std::vector<std::shared_ptr<Op>> &candidates);
  void run(Op &op);
  void runWork(Op &op, const VectorClock &before);
  void rehashSources(const Command &command);

  uint64_t identity; ///< tells it from earlier ones in the same process
  const char *callName = "";
  std::vector<int64_t> faultCalls;
  std::vector<uint64_t> deadlocks; ///< commands that were reported
};

/// Memory that was freed after the command was queued was reported then.
bool allLive(Memory &memory, const Command &command);

/// What a call gives where no double exists.
constexpr int noSim = 3;

/// Locks the active one for a call; null: there is none.
class ActiveSim {
public:
  ActiveSim();
  Sim *operator->() const { return sim; }
  Sim &operator*() const { return *sim; }
  explicit operator bool() const { return sim; }

private:
  Sim *sim;
  std::unique_lock<std::mutex> lock;
};

/// The entry point that calls `implementation` with the active double.
template <Entry entry, auto implementation> struct EntryPoint;
template <Entry entry, typename... Parameters, int (*implementation)(Sim &, Parameters...)>
struct EntryPoint<entry, implementation> {
  static int call(Parameters... parameters) {
    ActiveSim sim;
    if (!sim)
      return noSim;
    if (int status = sim->beginCall(entry))
      return status;
    return implementation(*sim, parameters...);
  }
};
#define PHANTOM_SIM_ENTRY(symbol) api.symbol = EntryPoint<Entry::symbol, symbol>::call

void addStatusTexts(gpu::GpuApi &api);
void addDeviceEntries(gpu::GpuApi &api);
void addMemoryEntries(gpu::GpuApi &api);
void addStreamEntries(gpu::GpuApi &api);
void addEventEntries(gpu::GpuApi &api);
void addCaptureEntries(gpu::GpuApi &api);
void addGraphEntries(gpu::GpuApi &api);
void addKernelEntries(gpu::GpuApi &api);
void addBlasEntries(gpu::GpuApi &api);
void addCommunicatorEntries(gpu::GpuApi &api);
void addCollectiveEntries(gpu::GpuApi &api);
void addWindowEntries(gpu::GpuApi &api);
void addNvmlEntries(gpu::GpuApi &api);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_SIM_H
