//===- GpuRank.h - One rank on its GPU --------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_GPURANK_H
#define PHANTOM_RT_LIB_CUDA_GPURANK_H

#include "GpuCommunicator.h"
#include "phantom-rt/Communicator.h"
#include "phantom-rt/ParameterStore.h"
#include "phantom-rt/RankTeam.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <chrono>
#include <set>

namespace phantom::rt::gpu {

/// What all ranks of a runtime share.
struct GpuShared {
  const GpuApi &api;
  const Program &program;
  RankTeam &team;
  double timeoutSeconds = 120;
  llvm::ArrayRef<char> image;
  bool loopback = false;
  std::optional<int> device; ///< of the only rank that is here; nothing: rank r has GPU r
  UniqueId ncclId = {};
  std::shared_ptr<LoopbackGroup> loopbackGroup;
};

/// A rank's GPU, streams, libraries, parameters, constants, windows and communicator. Made and used by the
/// rank's own thread.
class GpuRank {
public:
  static llvm::Expected<std::unique_ptr<GpuRank>> create(const GpuShared &shared, int64_t rank);

  const GpuApi &api() const { return shared.api; }
  const Program &program() const { return shared.program; }
  RankTeam &team() const { return shared.team; }
  int64_t rank() const { return myRank; }
  int device() const { return myDevice; }

  /// Makes this rank's GPU the calling thread's.
  llvm::Error makeCurrent();

  Stream stream(StreamKind kind) const { return streams[size_t(kind)].get(); }
  BlasHandle blas() const { return handle.get(); }
  Kernel kernel(uint32_t index) const { return kernels[index]; }
  std::byte *parameter(llvm::StringRef name) const;
  std::byte *window(uint32_t index) const { return windows + windowOffsets[index]; }
  std::byte *constant(uint32_t index) const { return constants + constantOffsets[index]; }
  /// Null where the program has no exchanges.
  GpuCommunicator *communicator() const { return ends.get(); }

  /// Copies all parameters from or to the host's store.
  llvm::Error upload(const ParameterStore &from);
  llvm::Error download(ParameterStore &to);

  /// Polls until the stream has done everything that is queued; an error of any rank, or the deadline, ends
  /// the wait. `where` names the place in errors.
  llvm::Error waitFor(StreamKind stream, llvm::function_ref<std::string()> where);
  llvm::Error waitFor(StreamKind stream, llvm::StringRef where) {
    return waitFor(stream, [&] { return where.str(); });
  }

  /// Whether a wait that began then may go on.
  llvm::Error checkWait(std::chrono::steady_clock::time_point begin, llvm::function_ref<std::string()> where);

  /// A graph that may hold collectives. NCCL ends no communicator that graphs refer to, so that the rank
  /// destroys them where it must leave its communicator.
  void addGraph(Owned<GraphExec> &graph) { graphs.insert(&graph); }
  void removeGraph(Owned<GraphExec> &graph) { graphs.erase(&graph); }

  /// Waits for what is queued, for some seconds, before memory that it uses is freed: what is queued may end
  /// badly.
  void drain();

  /// Passes `error` on, which then names this rank, after telling the other ranks and leaving their
  /// collectives.
  llvm::Error fail(llvm::Error error);

  /// An error that names this rank.
  llvm::Error error(const llvm::Twine &message) const;

private:
  GpuRank(const GpuShared &shared, int64_t rank);
  std::string nameInErrors() const;
  llvm::Error createStreams();
  llvm::Error loadKernels();
  llvm::Error createCommunicator();
  llvm::Error allocateMemory();
  llvm::Error uploadConstants();

  const GpuShared shared;
  const int64_t myRank;
  const int myDevice;
  bool failed = false;
  Owned<Stream> streams[2];
  Owned<BlasHandle> handle;
  Owned<Library> library;
  std::vector<Kernel> kernels;
  const ParameterStore *store = nullptr;
  Owned<void *> parameterMemory, constantMemory;
  std::byte *parameters = nullptr, *constants = nullptr, *windows = nullptr;
  std::vector<int64_t> windowOffsets, constantOffsets;
  std::unique_ptr<GpuCommunicator> ends; ///< after the streams: it may have work there
  std::set<Owned<GraphExec> *> graphs;   ///< of the functions that are bound
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_GPURANK_H
