//===- Handles.cpp - Owned handles and checked calls ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Handles.h"

#include "Constants.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace phantom::rt::gpu {

Error checkCuda(const GpuApi &api, int status, const Twine &what) {
  if (status == 0)
    return Error::success();
  const char *advice =
      status == cudaErrorMemoryAllocation ? "; use a smaller batch size, or more ranks on more GPUs" : "";
  return makeError(what + ": " + api.cudaGetErrorName(status) + " (" + api.cudaGetErrorString(status) + ")" +
                   advice);
}

Error checkBlas(const GpuApi &api, int status, const Twine &what) {
  if (status == 0)
    return Error::success();
  return makeError(what + ": " + api.cublasLtGetStatusString(status));
}

Error checkNccl(const GpuApi &api, int status, const Twine &what) {
  if (status == 0)
    return Error::success();
  return makeError(what + ": NCCL says '" + api.ncclGetErrorString(status) +
                   "'; NCCL_DEBUG=WARN in the environment makes it say more");
}

Expected<Owned<void *>> allocateDevice(const GpuApi &api, int64_t bytes, const Twine &what) {
  if (bytes == 0)
    return Owned<void *>();
  void *memory = nullptr;
  if (Error error = checkCuda(api, api.cudaMalloc(&memory, size_t(bytes)),
                              "allocating " + Twine(bytes) + " bytes of GPU memory for " + what))
    return error;
  return own(memory, api.cudaFree);
}

Expected<Owned<void *>> allocatePinned(const GpuApi &api, int64_t bytes, const Twine &what) {
  if (bytes == 0)
    return Owned<void *>();
  void *memory = nullptr;
  if (Error error = checkCuda(api, api.cudaMallocHost(&memory, size_t(bytes)),
                              "allocating " + Twine(bytes) + " bytes of pinned memory for " + what))
    return error;
  return own(memory, api.cudaFreeHost);
}

Expected<Owned<Event>> createEvent(const GpuApi &api, bool timed) {
  Event event = nullptr;
  if (Error error = checkCuda(api, api.cudaEventCreateWithFlags(&event, timed ? 0 : eventDisableTiming),
                              "creating an event"))
    return error;
  return own(event, api.cudaEventDestroy);
}

int64_t MemoryPlan::add(int64_t size) {
  const int64_t offset = total;
  total += int64_t(alignTo(uint64_t(size), uint64_t(memoryAlignment)));
  return offset;
}

} // namespace phantom::rt::gpu
