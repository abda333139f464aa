//===- GpuCommunicator.h - How the ranks of GPU programs exchange ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_GPUCOMMUNICATOR_H
#define PHANTOM_RT_LIB_CUDA_GPUCOMMUNICATOR_H

#include "Handles.h"
#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"

namespace phantom::rt::gpu {

class GpuRank;

/// A collective with its addresses, as one rank sees it; see CollectiveCommand.
struct BoundCollective {
  const Exchange *exchange = nullptr;
  const std::byte *send = nullptr;
  std::byte *receive = nullptr;
  int64_t count = 0;
  ElementType element = ElementType::F32;
};

/// One rank's end. All ranks queue the same collectives in the same order.
class GpuCommunicator {
public:
  virtual ~GpuCommunicator();

  /// Meets the other ranks; to be called first, once, on all of them. After an error, only abort() may
  /// follow.
  virtual llvm::Error join() = 0;

  /// The rank's memory of all windows together. To be called once, on all ranks.
  virtual llvm::Expected<std::byte *> allocateWindows(int64_t bytes) = 0;

  /// What must be done before a collective is queued for the first time.
  virtual llvm::Error prepare(const BoundCollective &collective) = 0;

  /// Queues the collective on the stream.
  virtual llvm::Error enqueue(const BoundCollective &collective, Stream stream) = 0;

  /// What went wrong since, on this rank or another.
  virtual llvm::Error poll() = 0;

  /// Leaves what is queued undone, so that nothing waits for another rank any more.
  virtual void abort() = 0;

  /// Whether collectives may be captured in a graph.
  virtual bool canBeCaptured() const = 0;
};

/// The id that the ranks of a new NCCL communicator share.
llvm::Expected<UniqueId> createNcclId(const GpuApi &api);

std::unique_ptr<GpuCommunicator> createNcclCommunicator(GpuRank &rank, const UniqueId &id);

/// What the ranks on one GPU know of each other.
class LoopbackGroup;
std::shared_ptr<LoopbackGroup> createLoopbackGroup(int64_t ranks);
std::unique_ptr<GpuCommunicator> createLoopbackCommunicator(GpuRank &rank,
                                                            std::shared_ptr<LoopbackGroup> group);

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_GPUCOMMUNICATOR_H
