//===- Constants.h - Numbers of the GPU libraries ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Of CUDA 13, cuBLASLt 13 and NCCL 2.28, as far as the runtime uses them, under
// the libraries' own names. Check*Api.cpp compare them with the headers.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_CONSTANTS_H
#define PHANTOM_RT_LIB_CUDA_CONSTANTS_H

#include <climits>
#include <cstddef>

namespace phantom::rt::gpu {

// CUDA.
constexpr int cudaErrorMemoryAllocation = 2;
constexpr int cudaErrorInsufficientDriver = 35;
constexpr int cudaErrorNoDevice = 100;
constexpr int cudaErrorNotReady = 600;
constexpr int cudaMemcpyHostToDevice = 1;
constexpr int cudaMemcpyDeviceToHost = 2;
constexpr int cudaMemcpyDeviceToDevice = 3;
constexpr unsigned streamNonBlocking = 1;
constexpr unsigned eventDisableTiming = 2;
constexpr int cudaStreamCaptureModeThreadLocal = 1;
constexpr int cudaDevAttrComputeCapabilityMajor = 75;
constexpr int cudaDevAttrComputeCapabilityMinor = 76;

// cuBLASLt, and its types of CUDA.
constexpr int CUBLAS_STATUS_NOT_SUPPORTED = 15;
constexpr int CUBLAS_COMPUTE_32F = 68;
constexpr int CUBLAS_COMPUTE_64F = 70;
constexpr int CUDA_R_32F = 0;
constexpr int CUDA_R_64F = 1;
constexpr int CUDA_R_16BF = 14;
constexpr int CUBLAS_OP_N = 0;
constexpr int CUBLAS_OP_T = 1;
constexpr int CUBLASLT_MATMUL_DESC_TRANSA = 3;
constexpr int CUBLASLT_MATMUL_DESC_TRANSB = 4;
constexpr int CUBLASLT_MATMUL_DESC_EPILOGUE = 7;
constexpr int CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8;
constexpr int CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER = 11;
constexpr int CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD = 12;
constexpr int CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1;
constexpr int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5;
constexpr int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6;
constexpr int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7;
constexpr int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8;
constexpr int CUBLASLT_EPILOGUE_DEFAULT = 1;
constexpr int CUBLASLT_EPILOGUE_RELU = 2;
constexpr int CUBLASLT_EPILOGUE_BIAS = 4;
constexpr int CUBLASLT_EPILOGUE_RELU_BIAS = 6;
constexpr int CUBLASLT_EPILOGUE_GELU = 32;
constexpr int CUBLASLT_EPILOGUE_GELU_BIAS = 36;
constexpr int CUBLASLT_EPILOGUE_RELU_AUX = 130;
constexpr int CUBLASLT_EPILOGUE_RELU_AUX_BIAS = 134;
constexpr int CUBLASLT_EPILOGUE_DRELU = 136;
constexpr int CUBLASLT_EPILOGUE_DRELU_BGRAD = 152;
constexpr int CUBLASLT_EPILOGUE_GELU_AUX = 160;
constexpr int CUBLASLT_EPILOGUE_GELU_AUX_BIAS = 164;
constexpr int CUBLASLT_EPILOGUE_DGELU = 192;
constexpr int CUBLASLT_EPILOGUE_DGELU_BGRAD = 208;

// NCCL.
constexpr int ncclSuccess = 0;
constexpr int ncclInProgress = 7;
constexpr int ncclInt8 = 0;
constexpr int ncclUint8 = 1;
constexpr int ncclInt32 = 2;
constexpr int ncclUint32 = 3;
constexpr int ncclInt64 = 4;
constexpr int ncclUint64 = 5;
constexpr int ncclFloat16 = 6;
constexpr int ncclFloat32 = 7;
constexpr int ncclFloat64 = 8;
constexpr int ncclBfloat16 = 9;
constexpr int ncclSum = 0;
constexpr unsigned ncclConfigMagic = 0xcafebeef;
constexpr int ncclConfigUndefined = INT_MIN;
constexpr int ncclWindowSymmetric = 1;
constexpr size_t ncclWindowAlignment = 4096;

/// As ncclGetVersion gives it.
constexpr int ncclVersion(int major, int minor, int patch) { return major * 10000 + minor * 100 + patch; }
constexpr int oldestNccl = ncclVersion(2, 28, 0);

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_CONSTANTS_H
