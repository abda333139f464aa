//===- NcclCommunicator.cpp - Exchanges by NCCL ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "GpuRank.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/MathExtras.h"

#include <thread>

using namespace llvm;

namespace phantom::rt::gpu {

/// What sums nothing only copies, so that a type without a name in NCCL goes as another one of its size.
static int ncclType(ElementType element) {
  switch (element) {
  case ElementType::F32:
    return ncclFloat32;
  case ElementType::F64:
    return ncclFloat64;
  case ElementType::I8:
    return ncclInt8;
  case ElementType::U8:
  case ElementType::Bool:
    return ncclUint8;
  case ElementType::I16:
  case ElementType::U16:
    return ncclFloat16;
  case ElementType::I32:
    return ncclInt32;
  case ElementType::U32:
    return ncclUint32;
  case ElementType::I64:
    return ncclInt64;
  case ElementType::U64:
    return ncclUint64;
  case ElementType::BF16:
    return ncclBfloat16;
  }
  llvm_unreachable("unknown element type");
}

Expected<UniqueId> createNcclId(const GpuApi &api) {
  UniqueId id = {};
  if (Error error = checkNccl(api, api.ncclGetUniqueId(&id), "starting NCCL"))
    return error;
  return id;
}

namespace {

/// Calls return before they are done, so that this thread can watch the deadline.
class NcclCommunicator : public GpuCommunicator {
public:
  NcclCommunicator(GpuRank &rank, const UniqueId &id) : rank(rank), api(rank.api()), id(id) {}
  ~NcclCommunicator() override;

  Error join() override;
  Expected<std::byte *> allocateWindows(int64_t bytes) override;
  Error prepare(const BoundCollective &) override { return Error::success(); }
  Error enqueue(const BoundCollective &collective, Stream stream) override;
  Error poll() override;
  void abort() override;
  bool canBeCaptured() const override { return true; }

private:
  Error settle(int status, StringRef where);

  GpuRank &rank;
  const GpuApi &api;
  const UniqueId id;
  Comm comm = nullptr;
  Owned<void *> memory;
  CommWindow window = nullptr;
};

} // namespace

/// Waits until a call that returned `status` is done.
Error NcclCommunicator::settle(int status, StringRef where) {
  const auto begin = std::chrono::steady_clock::now();
  while (status == ncclInProgress) {
    if (Error late = rank.checkWait(begin, [&] { return where.str(); }))
      return late;
    std::this_thread::yield();
    if (int failure = api.ncclCommGetAsyncError(comm, &status))
      status = failure;
  }
  return status == ncclSuccess ? Error::success() : rank.error(toString(checkNccl(api, status, where)));
}

static CommConfig initialConfig() {
  CommConfig config = {};
  config.size = sizeof(config);
  config.magic = ncclConfigMagic;
  config.version = unsigned(oldestNccl);
  config.blocking = 0;
  for (int *member : {&config.cgaClusterSize, &config.minCtas, &config.maxCtas, &config.splitShare,
                      &config.trafficClass, &config.collnetEnable, &config.ctaPolicy, &config.shrinkShare,
                      &config.nvlsCtas, &config.channelsPerNetPeer, &config.nvlinkCentricSched})
    *member = ncclConfigUndefined;
  return config;
}

Error NcclCommunicator::join() {
  CommConfig config = initialConfig();
  const int status =
      api.ncclCommInitRankConfig(&comm, int(rank.team().size()), id, int(rank.rank()), &config);
  return settle(status, "the other ranks to join the NCCL communicator");
}

Expected<std::byte *> NcclCommunicator::allocateWindows(int64_t bytes) {
  const size_t size = alignTo(uint64_t(bytes), ncclWindowAlignment);
  void *allocated = nullptr;
  if (Error error = checkNccl(api, api.ncclMemAlloc(&allocated, size),
                              "allocating " + Twine(size) + " bytes of GPU memory for exchanges"))
    return error;
  memory = own(allocated, api.ncclMemFree);
  const int status = api.ncclCommWindowRegister(comm, allocated, size, &window, ncclWindowSymmetric);
  if (Error error = settle(status, "the registration of the windows"))
    return error;
  return static_cast<std::byte *>(allocated);
}

Error NcclCommunicator::enqueue(const BoundCollective &collective, Stream stream) {
  const int type = ncclType(collective.element);
  const auto count = size_t(collective.count);
  int status = ncclSuccess;
  switch (collective.exchange->kind) {
  case ExchangeKind::AllGather:
    status = api.ncclAllGather(collective.send, collective.receive, count, type, comm, stream);
    break;
  case ExchangeKind::ReduceScatter:
    status = api.ncclReduceScatter(collective.send, collective.receive, count, type, ncclSum, comm, stream);
    break;
  case ExchangeKind::AllReduce:
    status = api.ncclAllReduce(collective.send, collective.receive, count, type, ncclSum, comm, stream);
    break;
  case ExchangeKind::AllToAll:
    status = api.ncclAlltoAll(collective.send, collective.receive, count, type, comm, stream);
    break;
  }
  if (status == ncclSuccess)
    return Error::success();
  return settle(status, describe(*collective.exchange));
}

Error NcclCommunicator::poll() {
  int status = ncclSuccess;
  if (!comm)
    return Error::success();
  if (int failure = api.ncclCommGetAsyncError(comm, &status))
    status = failure;
  if (status == ncclSuccess || status == ncclInProgress)
    return Error::success();
  return checkNccl(api, status, "an exchange failed");
}

void NcclCommunicator::abort() {
  if (comm)
    (void)api.ncclCommAbort(comm);
  comm = nullptr;
}

NcclCommunicator::~NcclCommunicator() {
  if (!comm)
    return;
  if (window)
    consumeError(settle(api.ncclCommWindowDeregister(comm, window), "the end of the windows"));
  if (Error error = settle(api.ncclCommFinalize(comm), "the end of the NCCL communicator")) {
    consumeError(std::move(error));
    abort();
    return;
  }
  (void)api.ncclCommDestroy(comm);
}

std::unique_ptr<GpuCommunicator> createNcclCommunicator(GpuRank &rank, const UniqueId &id) {
  return std::make_unique<NcclCommunicator>(rank, id);
}

} // namespace phantom::rt::gpu
