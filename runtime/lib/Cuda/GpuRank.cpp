//===- GpuRank.cpp - One rank on its GPU ----------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuRank.h"

#include "Constants.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/FormatVariadic.h"

#include <thread>

using namespace llvm;

namespace phantom::rt::gpu {

using Clock = std::chrono::steady_clock;

GpuCommunicator::~GpuCommunicator() = default;

//===----------------------------------------------------------------------===//
// Before the first run
//===----------------------------------------------------------------------===//

GpuRank::GpuRank(const GpuShared &shared, int64_t rank)
    : shared(shared), myRank(rank), myDevice(shared.device.value_or(shared.loopback ? 0 : int(rank))) {}

Expected<std::unique_ptr<GpuRank>> GpuRank::create(const GpuShared &shared, int64_t rank) {
  std::unique_ptr<GpuRank> gpu(new GpuRank(shared, rank));
  using Step = Error (GpuRank::*)();
  for (Step step : {&GpuRank::makeCurrent, &GpuRank::createStreams, &GpuRank::loadKernels,
                    &GpuRank::createCommunicator, &GpuRank::allocateMemory, &GpuRank::uploadConstants})
    if (Error error = (gpu.get()->*step)())
      return gpu->fail(std::move(error));
  return gpu;
}

std::string GpuRank::nameInErrors() const {
  return ("rank " + Twine(myRank) + " (GPU " + Twine(myDevice) + "): ").str();
}

Error GpuRank::error(const Twine &message) const { return makeError(nameInErrors() + message); }

Error GpuRank::makeCurrent() {
  if (failed)
    return error("it stopped after an earlier error, and cannot go on");
  return checkCuda(api(), api().cudaSetDevice(myDevice), "using GPU " + Twine(myDevice));
}

/// Exchanges go first: others wait for them.
Error GpuRank::createStreams() {
  int least = 0, greatest = 0;
  if (Error error = checkCuda(api(), api().cudaDeviceGetStreamPriorityRange(&least, &greatest),
                              "reading the range of stream priorities"))
    return error;
  for (StreamKind kind : {StreamKind::Compute, StreamKind::Exchange}) {
    Stream created = nullptr;
    const int priority = kind == StreamKind::Exchange ? greatest : least;
    if (Error error =
            checkCuda(api(), api().cudaStreamCreateWithPriority(&created, streamNonBlocking, priority),
                      "creating a stream on GPU " + Twine(myDevice)))
      return error;
    streams[size_t(kind)] = own(created, api().cudaStreamDestroy);
  }
  BlasHandle created = nullptr;
  if (Error error = checkBlas(api(), api().cublasLtCreate(&created), "starting cuBLASLt"))
    return error;
  handle = own(created, api().cublasLtDestroy);
  return Error::success();
}

Error GpuRank::loadKernels() {
  if (program().kernels.empty())
    return Error::success();
  Library loaded = nullptr;
  if (Error error = checkCuda(
          api(),
          api().cudaLibraryLoadData(&loaded, shared.image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0),
          "loading the program's kernels on GPU " + Twine(myDevice)))
    return error;
  library = own(loaded, api().cudaLibraryUnload);
  for (const std::string &name : program().kernels) {
    Kernel found = nullptr;
    if (Error error = checkCuda(api(), api().cudaLibraryGetKernel(&found, loaded, name.c_str()),
                                "finding the kernel '" + name + "' in the program's code"))
      return error;
    kernels.push_back(found);
  }
  return Error::success();
}

Error GpuRank::createCommunicator() {
  if (program().exchanges.empty())
    return Error::success();
  ends = shared.loopback ? createLoopbackCommunicator(*this, shared.loopbackGroup)
                         : createNcclCommunicator(*this, shared.ncclId);
  return ends->join();
}

Error GpuRank::allocateMemory() {
  MemoryPlan windowLayout, constantLayout;
  for (const Window &window : program().windows)
    windowOffsets.push_back(windowLayout.add(window.bytes));
  for (const std::vector<uint8_t> &constant : program().constants)
    constantOffsets.push_back(constantLayout.add(int64_t(constant.size())));
  if (ends && windowLayout.bytes() > 0)
    if (Error error = ends->allocateWindows(windowLayout.bytes()).moveInto(windows))
      return error;
  if (Error error =
          allocateDevice(api(), constantLayout.bytes(), "the program's constants").moveInto(constantMemory))
    return error;
  constants = static_cast<std::byte *>(constantMemory.get());
  return Error::success();
}

Error GpuRank::uploadConstants() {
  for (size_t i = 0; i < program().constants.size(); ++i) {
    const std::vector<uint8_t> &constant = program().constants[i];
    if (constant.empty())
      continue;
    if (Error error =
            checkCuda(api(),
                      api().cudaMemcpyAsync(this->constant(uint32_t(i)), constant.data(), constant.size(),
                                            cudaMemcpyHostToDevice, stream(StreamKind::Compute)),
                      "copying a constant to GPU " + Twine(myDevice)))
      return error;
  }
  return waitFor(StreamKind::Compute, "the copy of the constants");
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

std::byte *GpuRank::parameter(StringRef name) const { return parameters + store->offset(*store->find(name)); }

Error GpuRank::upload(const ParameterStore &from) {
  const int64_t bytes = from.bytesPerRank();
  if (bytes == 0)
    return Error::success();
  store = &from;
  if (!parameterMemory) {
    if (Error error = allocateDevice(api(), bytes, "the parameters").moveInto(parameterMemory))
      return error;
    parameters = static_cast<std::byte *>(parameterMemory.get());
  }
  if (Error error = checkCuda(api(),
                              api().cudaMemcpyAsync(parameters, from.memoryOf(myRank), size_t(bytes),
                                                    cudaMemcpyHostToDevice, stream(StreamKind::Compute)),
                              "copying the parameters to GPU " + Twine(myDevice)))
    return error;
  return waitFor(StreamKind::Compute, "the copy of the parameters");
}

Error GpuRank::download(ParameterStore &to) {
  const int64_t bytes = to.bytesPerRank();
  if (bytes == 0)
    return Error::success();
  if (Error error = checkCuda(api(),
                              api().cudaMemcpyAsync(to.memoryOf(myRank), parameters, size_t(bytes),
                                                    cudaMemcpyDeviceToHost, stream(StreamKind::Compute)),
                              "copying the parameters from GPU " + Twine(myDevice)))
    return error;
  return waitFor(StreamKind::Compute, "the copy of the parameters");
}

//===----------------------------------------------------------------------===//
// Waits and errors
//===----------------------------------------------------------------------===//

Error GpuRank::checkWait(Clock::time_point begin, function_ref<std::string()> where) {
  if (team().aborted())
    return error("stopped at " + where() + ", because another rank failed");
  if (Clock::now() - begin < std::chrono::duration<double>(shared.timeoutSeconds))
    return Error::success();
  return error("waited " + formatv("{0}", shared.timeoutSeconds).str() + " s for " + where() +
               "; another rank may be stuck, or --timeout too short");
}

Error GpuRank::waitFor(StreamKind kind, function_ref<std::string()> where) {
  const Clock::time_point begin = Clock::now();
  LongWait longWait(team().communicator(myRank).position);
  for (int64_t polls = 0;; ++polls) {
    const int status = api().cudaStreamQuery(stream(kind));
    if (status == 0)
      return Error::success();
    if (status != cudaErrorNotReady)
      return error(toString(checkCuda(api(), status, where())));
    if (ends)
      if (Error failure = ends->poll())
        return error(where() + ": " + toString(std::move(failure)));
    if (Error late = checkWait(begin, where))
      return late;
    // A step takes longer than this, unless it is about to end.
    if (polls < 256) {
      pauseCpu();
      continue;
    }
    // The place takes calls of its own; only who waits for long is asked for it.
    if (polls % 256 == 0 && Clock::now() - begin > std::chrono::seconds(1))
      longWait.show("GPU " + std::to_string(myDevice) + ", for " + where());
    std::this_thread::sleep_for(std::chrono::microseconds(10));
  }
}

Error GpuRank::fail(Error error) {
  // The others first: to leave a communicator may take until all do, and is an error of its own to them.
  std::string text = toString(std::move(error));
  const std::string name = nameInErrors();
  if (!StringRef(text).starts_with(name))
    text.insert(0, name);
  team().communicator(myRank).abort(text);
  for (Owned<GraphExec> *graph : graphs)
    graph->reset();
  if (ends && !failed)
    ends->abort();
  if (!failed)
    drain();
  failed = true;
  return makeError(text);
}

// Exchanges that were left end, and so does everything on a GPU that has failed.
void GpuRank::drain() {
  const Clock::time_point begin = Clock::now();
  for (const Owned<Stream> &stream : streams)
    while (stream && api().cudaStreamQuery(stream.get()) == cudaErrorNotReady &&
           Clock::now() - begin < std::chrono::seconds(5))
      std::this_thread::sleep_for(std::chrono::microseconds(10));
}

} // namespace phantom::rt::gpu
