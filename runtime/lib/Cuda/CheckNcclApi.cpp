//===- CheckNcclApi.cpp - Our declarations against the header of NCCL ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckGpuApi.h"
#include "Constants.h"
#include "phantom-rt/GpuApi.h"

#include <nccl.h>

#define PHANTOM_CHECK_Cudart(symbol)
#define PHANTOM_CHECK_CublasLt(symbol)
#define PHANTOM_CHECK_Nccl(symbol) PHANTOM_SAME_FUNCTION(symbol)
#define PHANTOM_CHECK_Nvml(symbol)

namespace phantom::rt::gpu {

#define PHANTOM_GPU_ENTRY(library, symbol, parameters) PHANTOM_CHECK_##library(symbol)
#define PHANTOM_GPU_TEXT(library, symbol) PHANTOM_CHECK_##library(symbol)
#include "phantom-rt/GpuEntryPoints.def"

static_assert(sizeof(CommConfig) == sizeof(::ncclConfig_t));
PHANTOM_SAME_PLACE(UniqueId, bytes, ::ncclUniqueId, internal);
PHANTOM_SAME_PLACE(CommConfig, size, ::ncclConfig_t, size);
PHANTOM_SAME_PLACE(CommConfig, magic, ::ncclConfig_t, magic);
PHANTOM_SAME_PLACE(CommConfig, version, ::ncclConfig_t, version);
PHANTOM_SAME_PLACE(CommConfig, blocking, ::ncclConfig_t, blocking);
PHANTOM_SAME_PLACE(CommConfig, cgaClusterSize, ::ncclConfig_t, cgaClusterSize);
PHANTOM_SAME_PLACE(CommConfig, minCtas, ::ncclConfig_t, minCTAs);
PHANTOM_SAME_PLACE(CommConfig, maxCtas, ::ncclConfig_t, maxCTAs);
PHANTOM_SAME_PLACE(CommConfig, netName, ::ncclConfig_t, netName);
PHANTOM_SAME_PLACE(CommConfig, splitShare, ::ncclConfig_t, splitShare);
PHANTOM_SAME_PLACE(CommConfig, trafficClass, ::ncclConfig_t, trafficClass);
PHANTOM_SAME_PLACE(CommConfig, commName, ::ncclConfig_t, commName);
PHANTOM_SAME_PLACE(CommConfig, collnetEnable, ::ncclConfig_t, collnetEnable);
PHANTOM_SAME_PLACE(CommConfig, ctaPolicy, ::ncclConfig_t, CTAPolicy);
PHANTOM_SAME_PLACE(CommConfig, shrinkShare, ::ncclConfig_t, shrinkShare);
PHANTOM_SAME_PLACE(CommConfig, nvlsCtas, ::ncclConfig_t, nvlsCTAs);
PHANTOM_SAME_PLACE(CommConfig, channelsPerNetPeer, ::ncclConfig_t, nChannelsPerNetPeer);
PHANTOM_SAME_PLACE(CommConfig, nvlinkCentricSched, ::ncclConfig_t, nvlinkCentricSched);

PHANTOM_SAME_NUMBER(ncclSuccess);
PHANTOM_SAME_NUMBER(ncclInProgress);
PHANTOM_SAME_NUMBER(ncclInt8);
PHANTOM_SAME_NUMBER(ncclUint8);
PHANTOM_SAME_NUMBER(ncclInt32);
PHANTOM_SAME_NUMBER(ncclUint32);
PHANTOM_SAME_NUMBER(ncclInt64);
PHANTOM_SAME_NUMBER(ncclUint64);
PHANTOM_SAME_NUMBER(ncclFloat16);
PHANTOM_SAME_NUMBER(ncclFloat32);
PHANTOM_SAME_NUMBER(ncclFloat64);
PHANTOM_SAME_NUMBER(ncclBfloat16);
PHANTOM_SAME_NUMBER(ncclSum);
static_assert(ncclWindowSymmetric == NCCL_WIN_COLL_SYMMETRIC &&
              ncclWindowAlignment == NCCL_WIN_REQUIRED_ALIGNMENT);
static_assert(ncclConfigUndefined == NCCL_CONFIG_UNDEF_INT &&
              ncclVersion(2, 28, 9) == NCCL_VERSION(2, 28, 9));
constexpr ::ncclConfig_t initialConfig = NCCL_CONFIG_INITIALIZER;
static_assert(initialConfig.magic == ncclConfigMagic);

} // namespace phantom::rt::gpu
