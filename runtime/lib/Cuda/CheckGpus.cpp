//===- CheckGpus.cpp - Whether this machine can run a program for GPUs ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "Handles.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/GpuRuntime.h"

using namespace llvm;

namespace phantom::rt {

using namespace gpu;

/// The oldest compute capability that programs are compiled for.
constexpr int kOldestMajor = 8;

/// "13.0" for 13000.
static std::string cudaVersion(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

static Error driverError(const GpuApi &api) {
  int driver = 0, runtime = 0;
  if (api.cudaDriverGetVersion(&driver) != 0 || driver == 0)
    return makeError("this machine has no NVIDIA driver; install one, or use --device cpu");
  if (Error error = checkCuda(api, api.cudaRuntimeGetVersion(&runtime), "reading CUDA's version"))
    return error;
  return makeError("the NVIDIA driver is too old: it is for CUDA " + cudaVersion(driver) +
                   ", and the CUDA runtime here is " + cudaVersion(runtime) +
                   "; install a newer driver, or use --device cpu");
}

/// The number of GPUs.
static Expected<int> countGpus(const GpuApi &api) {
  int count = 0;
  const int status = api.cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver)
    return driverError(api);
  if (status == cudaErrorNoDevice || (status == 0 && count == 0))
    return makeError("this machine has no GPU that CUDA can use (CUDA_VISIBLE_DEVICES may hide some); use "
                     "--device cpu");
  if (Error error = checkCuda(api, status, "counting the GPUs"))
    return error;
  return count;
}

Expected<ComputeCapability> computeCapability(const GpuLibraries &libraries, int device) {
  const GpuApi &api = libraries.api;
  ComputeCapability found;
  for (auto [attribute, number] : {std::pair(cudaDevAttrComputeCapabilityMajor, &found.major),
                                   std::pair(cudaDevAttrComputeCapabilityMinor, &found.minor)})
    if (Error error = checkCuda(api, api.cudaDeviceGetAttribute(number, attribute, device),
                                "reading the compute capability of GPU " + Twine(device)))
      return error;
  return found;
}

static Error checkCapability(const GpuLibraries &libraries, int device) {
  Expected<ComputeCapability> found = computeCapability(libraries, device);
  if (!found)
    return found.takeError();
  if (found->major >= kOldestMajor)
    return Error::success();
  return makeError("GPU " + Twine(device) + " has compute capability " + Twine(found->major) + "." +
                   Twine(found->minor) + "; " + Twine(kOldestMajor) + ".0 or newer is needed");
}

static Error checkNcclVersion(const GpuLibraries &libraries) {
  const GpuApi &api = libraries.api;
  if (!api.ncclGetVersion)
    return makeError("several ranks on GPUs need NCCL: " + libraries.problem(LibraryName::Nccl));
  int version = 0;
  if (Error error = checkNccl(api, api.ncclGetVersion(&version), "reading NCCL's version"))
    return error;
  if (version >= oldestNccl)
    return Error::success();
  return makeError("NCCL " + Twine(version / 10000) + "." + Twine(version / 100 % 100) + "." +
                   Twine(version % 100) + " is too old; install NCCL 2.28 or newer");
}

/// The number of GPUs, where the libraries are there to use them.
static Expected<int> countUsableGpus(const GpuLibraries &libraries) {
  for (LibraryName name : {LibraryName::Cudart, LibraryName::CublasLt})
    if (!libraries.problem(name).empty())
      return makeError("no GPU can be used: " + libraries.problem(name) + "; or use --device cpu");
  return countGpus(libraries.api);
}

Error checkGpus(const GpuLibraries &libraries, int64_t ranks, GpuExchange exchange) {
  Expected<int> count = countUsableGpus(libraries);
  if (!count)
    return count.takeError();
  const int64_t needed = exchange == GpuExchange::Loopback ? 1 : ranks;
  if (*count < needed)
    return makeError(Twine(ranks) + " ranks need " + Twine(needed) + " GPUs, but this machine has " +
                     Twine(*count) + "; use fewer ranks, or --communicator loopback");
  for (int device = 0; device < needed; ++device)
    if (Error error = checkCapability(libraries, device))
      return error;
  return needed > 1 ? checkNcclVersion(libraries) : Error::success();
}

Expected<int> checkGpuOfProcess(const GpuLibraries &libraries, int64_t ranks, int64_t localRank) {
  Expected<int> count = countUsableGpus(libraries);
  if (!count)
    return count.takeError();
  if (*count > 1 && localRank >= *count)
    return makeError(
        "local rank " + Twine(localRank) + " has no GPU: this machine has " + Twine(*count) +
        "; start at most as many processes here, or number those of this machine with --local-rank");
  const int device = *count == 1 ? 0 : int(localRank);
  if (Error error = checkCapability(libraries, device))
    return error;
  if (Error error = ranks > 1 ? checkNcclVersion(libraries) : Error::success())
    return error;
  return device;
}

} // namespace phantom::rt
