//===- Handles.h - Owned handles and checked calls --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_HANDLES_H
#define PHANTOM_RT_LIB_CUDA_HANDLES_H

#include "phantom-rt/GpuApi.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <type_traits>

namespace phantom::rt::gpu {

/// An error that says what was tried and what the library answered; success for status 0.
llvm::Error checkCuda(const GpuApi &api, int status, const llvm::Twine &what);
llvm::Error checkBlas(const GpuApi &api, int status, const llvm::Twine &what);
llvm::Error checkNccl(const GpuApi &api, int status, const llvm::Twine &what);

template <typename Handle> struct Release {
  using pointer = Handle;
  int (*free)(Handle) = nullptr;
  void operator()(Handle handle) const { (void)free(handle); }
};

/// A handle that is given back at the end of its life.
template <typename Handle> using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Release<Handle>>;

template <typename Handle> Owned<Handle> own(Handle handle, int (*free)(Handle)) {
  return Owned<Handle>(handle, Release<Handle>{free});
}

/// Where buffers begin: enough for cuBLASLt's fastest kernels.
constexpr int64_t memoryAlignment = 256;

/// Memory of the current GPU; null where `bytes` is 0. `what` says in an error what it is for.
llvm::Expected<Owned<void *>> allocateDevice(const GpuApi &api, int64_t bytes, const llvm::Twine &what);

/// Host memory that GPUs copy from and to by themselves.
llvm::Expected<Owned<void *>> allocatePinned(const GpuApi &api, int64_t bytes, const llvm::Twine &what);

/// `timed`: cudaEventElapsedTime may ask for its time.
llvm::Expected<Owned<Event>> createEvent(const GpuApi &api, bool timed = false);

/// Places in one allocation.
class MemoryPlan {
public:
  /// The offset of `size` more bytes.
  int64_t add(int64_t size);
  int64_t bytes() const { return total; }

private:
  int64_t total = 0;
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_HANDLES_H
