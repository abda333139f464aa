//===- GpuApi.h - The table of GPU entry points ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything that the GPU runtime calls outside this process, as one table of
// function pointers: NVIDIA's libraries, loaded at run time, or the double in
// runtime/sim. The types are our own declarations of the C interfaces of CUDA 13, cuBLASLt 13,
// NCCL 2.28 and NVML, so that the project builds without their headers; where
// the headers are, lib/Cuda/Check*Api.cpp compare both.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GPUAPI_H
#define PHANTOM_RT_GPUAPI_H

#include <cstddef>
#include <cstdint>

namespace phantom::rt::gpu {

using Stream = struct CUstream_st *;
using Event = struct CUevent_st *;
using Graph = struct CUgraph_st *;
using GraphExec = struct CUgraphExec_st *;
using Library = struct CUlib_st *;
using Kernel = struct CUkern_st *;
struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};

using BlasHandle = struct cublasLtContext *;
using MatmulDesc = struct MatmulDescOpaque *;
using MatrixLayout = struct MatrixLayoutOpaque *;
using MatmulPreference = struct MatmulPreferenceOpaque *;
struct MatmulAlgorithm {
  uint64_t data[8];
};
struct MatmulHeuristic {
  MatmulAlgorithm algorithm;
  size_t workspaceBytes;
  int state;
  float waves;
  int reserved[4];
};

using Comm = struct ncclComm *;
using CommWindow = struct ncclWindow_vidmem *;
struct UniqueId {
  char bytes[128];
};
/// ncclConfig_t of NCCL 2.28.
struct CommConfig {
  size_t size;
  unsigned magic, version;
  int blocking, cgaClusterSize, minCtas, maxCtas;
  const char *netName;
  int splitShare, trafficClass;
  const char *commName;
  int collnetEnable, ctaPolicy, shrinkShare, nvlsCtas, channelsPerNetPeer, nvlinkCentricSched;
};

using NvmlDevice = struct nvmlDevice_st *;

enum class LibraryName : uint8_t { Cudart, CublasLt, Nccl, Nvml };

/// Members are named as the symbols; all are set, or the library that has them is missing and they are null.
struct GpuApi {
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) int(*symbol) parameters = nullptr;
#define PHANTOM_GPU_TEXT(library, symbol) const char *(*symbol)(int status) = nullptr;
#include "phantom-rt/GpuEntryPoints.def"
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_GPUAPI_H
