//===- CheckCudaApi.cpp - Our declarations against the headers of CUDA --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CheckGpuApi.h"
#include "Constants.h"
#include "phantom-rt/GpuApi.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#if __has_include(<nvml.h>)
#include <nvml.h>
#define PHANTOM_CHECK_Nvml(symbol) PHANTOM_SAME_FUNCTION(symbol)
#else
#define PHANTOM_CHECK_Nvml(symbol)
#endif
#define PHANTOM_CHECK_Cudart(symbol) PHANTOM_SAME_FUNCTION(symbol)
#define PHANTOM_CHECK_CublasLt(symbol) PHANTOM_SAME_FUNCTION(symbol)
#define PHANTOM_CHECK_Nccl(symbol)

namespace phantom::rt::gpu {

#define PHANTOM_GPU_ENTRY(library, symbol, parameters) PHANTOM_CHECK_##library(symbol)
#define PHANTOM_GPU_TEXT(library, symbol) PHANTOM_CHECK_##library(symbol)
#include "phantom-rt/GpuEntryPoints.def"

static_assert(sizeof(MatmulAlgorithm) == sizeof(::cublasLtMatmulAlgo_t));
static_assert(sizeof(MatmulHeuristic) == sizeof(::cublasLtMatmulHeuristicResult_t));
PHANTOM_SAME_PLACE(MatmulHeuristic, algorithm, ::cublasLtMatmulHeuristicResult_t, algo);
PHANTOM_SAME_PLACE(MatmulHeuristic, workspaceBytes, ::cublasLtMatmulHeuristicResult_t, workspaceSize);
PHANTOM_SAME_PLACE(MatmulHeuristic, state, ::cublasLtMatmulHeuristicResult_t, state);
PHANTOM_SAME_PLACE(MatmulHeuristic, waves, ::cublasLtMatmulHeuristicResult_t, wavesCount);
PHANTOM_SAME_PLACE(Dim3, x, ::dim3, x);
PHANTOM_SAME_PLACE(Dim3, y, ::dim3, y);
PHANTOM_SAME_PLACE(Dim3, z, ::dim3, z);

PHANTOM_SAME_NUMBER(cudaErrorMemoryAllocation);
PHANTOM_SAME_NUMBER(cudaErrorInsufficientDriver);
PHANTOM_SAME_NUMBER(cudaErrorNoDevice);
PHANTOM_SAME_NUMBER(cudaErrorNotReady);
PHANTOM_SAME_NUMBER(cudaMemcpyHostToDevice);
PHANTOM_SAME_NUMBER(cudaMemcpyDeviceToHost);
PHANTOM_SAME_NUMBER(cudaMemcpyDeviceToDevice);
PHANTOM_SAME_NUMBER(cudaStreamCaptureModeThreadLocal);
PHANTOM_SAME_NUMBER(cudaDevAttrComputeCapabilityMajor);
PHANTOM_SAME_NUMBER(cudaDevAttrComputeCapabilityMinor);
PHANTOM_SAME_NUMBER(CUBLAS_STATUS_NOT_SUPPORTED);
PHANTOM_SAME_NUMBER(CUBLAS_COMPUTE_32F);
PHANTOM_SAME_NUMBER(CUBLAS_COMPUTE_64F);
PHANTOM_SAME_NUMBER(CUDA_R_32F);
PHANTOM_SAME_NUMBER(CUDA_R_64F);
PHANTOM_SAME_NUMBER(CUDA_R_16BF);
PHANTOM_SAME_NUMBER(CUBLAS_OP_N);
PHANTOM_SAME_NUMBER(CUBLAS_OP_T);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_TRANSA);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_TRANSB);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_EPILOGUE);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_BIAS_POINTER);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
PHANTOM_SAME_NUMBER(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_DEFAULT);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_RELU);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_BIAS);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_RELU_BIAS);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_GELU);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_GELU_BIAS);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_RELU_AUX);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_DRELU);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_DRELU_BGRAD);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_GELU_AUX);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_GELU_AUX_BIAS);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_DGELU);
PHANTOM_SAME_NUMBER(CUBLASLT_EPILOGUE_DGELU_BGRAD);
static_assert(streamNonBlocking == cudaStreamNonBlocking && eventDisableTiming == cudaEventDisableTiming);

} // namespace phantom::rt::gpu
