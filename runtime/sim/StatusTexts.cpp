//===- StatusTexts.cpp - Names of status codes ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

namespace phantom::rt::sim {

#define NAME(status)                                                                                         \
  case status:                                                                                               \
    return #status

static const char *cudaName(int status) {
  switch (status) {
    NAME(cudaSuccess);
    NAME(cudaErrorInvalidValue);
    NAME(cudaErrorMemoryAllocation);
    NAME(cudaErrorInitializationError);
    NAME(cudaErrorInvalidConfiguration);
    NAME(cudaErrorInvalidMemcpyDirection);
    NAME(cudaErrorInsufficientDriver);
    NAME(cudaErrorInvalidDeviceFunction);
    NAME(cudaErrorNoDevice);
    NAME(cudaErrorInvalidDevice);
    NAME(cudaErrorInvalidKernelImage);
    NAME(cudaErrorInvalidResourceHandle);
    NAME(cudaErrorSymbolNotFound);
    NAME(cudaErrorNotReady);
    NAME(cudaErrorIllegalAddress);
    NAME(cudaErrorLaunchTimeout);
    NAME(cudaErrorLaunchFailure);
    NAME(cudaErrorStreamCaptureUnsupported);
    NAME(cudaErrorStreamCaptureInvalidated);
    NAME(cudaErrorStreamCaptureMerge);
    NAME(cudaErrorStreamCaptureUnmatched);
    NAME(cudaErrorStreamCaptureUnjoined);
    NAME(cudaErrorStreamCaptureIsolation);
    NAME(cudaErrorCapturedEvent);
    NAME(cudaErrorStreamCaptureWrongThread);
  }
  return "unrecognized error code";
}

static const char *blasName(int status) {
  switch (status) {
    NAME(CUBLAS_STATUS_SUCCESS);
    NAME(CUBLAS_STATUS_NOT_INITIALIZED);
    NAME(CUBLAS_STATUS_INVALID_VALUE);
    NAME(CUBLAS_STATUS_EXECUTION_FAILED);
    NAME(CUBLAS_STATUS_NOT_SUPPORTED);
  }
  return "<unknown>";
}

static const char *ncclName(int status) {
  switch (status) {
    NAME(ncclSuccess);
    NAME(ncclUnhandledCudaError);
    NAME(ncclInternalError);
    NAME(ncclInvalidArgument);
    NAME(ncclInvalidUsage);
    NAME(ncclRemoteError);
    NAME(ncclInProgress);
  }
  return "unknown result code";
}

static const char *nvmlName(int status) {
  switch (status) {
    NAME(NVML_SUCCESS);
    NAME(NVML_ERROR_UNINITIALIZED);
    NAME(NVML_ERROR_INVALID_ARGUMENT);
    NAME(NVML_ERROR_NOT_FOUND);
  }
  return "Unknown Error";
}

#undef NAME

void addStatusTexts(gpu::GpuApi &api) {
  api.cudaGetErrorName = cudaName;
  api.cudaGetErrorString = cudaName;
  api.cublasLtGetStatusString = blasName;
  api.ncclGetErrorString = ncclName;
  api.nvmlErrorString = nvmlName;
}

} // namespace phantom::rt::sim
