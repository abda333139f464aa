//===- Matmul.cpp - Matrix products of cuBLASLt ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Matmul.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/ArrayRef.h"

using namespace llvm;

namespace phantom::rt::gpu {

/// What a kernel may use beside its operands; cuBLASLt's own advice for the newest GPUs.
constexpr uint64_t kMaximumWorkspace = uint64_t(32) << 20;

uint32_t alignmentOf(const void *address, int64_t step) {
  const uint64_t bits = reinterpret_cast<uintptr_t>(address) | uint64_t(step) | uint64_t(memoryAlignment);
  return uint32_t(bits & -bits);
}

//===----------------------------------------------------------------------===//
// From row-major commands
//===----------------------------------------------------------------------===//

/// cuBLASLt's epilogue of the command.
static Expected<int> epilogueOf(const GemmCommand &command) {
  const bool bias = command.bias.has_value(), gradient = command.biasGradient.has_value();
  const bool isGradient =
      command.epilogue == Epilogue::ReluGradient || command.epilogue == Epilogue::GeluTanhGradient;
  if ((bias && isGradient) || (gradient && !isGradient))
    return makeError("the GEMM at " + command.location + " has a bias that cuBLASLt cannot handle");
  switch (command.epilogue) {
  case Epilogue::None:
    return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  case Epilogue::Relu:
    return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  case Epilogue::GeluTanh:
    return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
  case Epilogue::ReluAux:
    return bias ? CUBLASLT_EPILOGUE_RELU_AUX_BIAS : CUBLASLT_EPILOGUE_RELU_AUX;
  case Epilogue::GeluTanhAux:
    return bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  case Epilogue::ReluGradient:
    return gradient ? CUBLASLT_EPILOGUE_DRELU_BGRAD : CUBLASLT_EPILOGUE_DRELU;
  case Epilogue::GeluTanhGradient:
    return gradient ? CUBLASLT_EPILOGUE_DGELU_BGRAD : CUBLASLT_EPILOGUE_DGELU;
  case Epilogue::LeakyRelu:
  case Epilogue::Elu:
  case Epilogue::Sigmoid:
  case Epilogue::Tanh:
  case Epilogue::GeluErf:
  case Epilogue::Silu:
    break;
  }
  return makeError("the GEMM at " + command.location +
                   " has an activation that cuBLASLt does not have; it must be a kernel");
}

// A row-major matrix is its transpose in column-major order. So d is cᵀ = bᵀ·aᵀ: the command's b is our left
// operand, and its rows of n are our columns.
Expected<MatmulSpec> matmulOf(const GemmCommand &command,
                              function_ref<std::byte *(const BufferRef &)> address) {
  Expected<int> epilogue = epilogueOf(command);
  if (!epilogue)
    return epilogue.takeError();
  MatmulSpec spec;
  spec.rows = command.n, spec.columns = command.m, spec.depth = command.k;
  spec.transposeA = command.bCol != 1;
  spec.aLeading = spec.transposeA ? std::max(command.bCol, command.k) : std::max(command.bRow, command.n);
  spec.transposeB = command.aCol != 1;
  spec.bLeading = spec.transposeB ? std::max(command.aCol, command.m) : std::max(command.aRow, command.k);
  spec.dLeading = std::max(command.cRow, command.n);
  spec.element = command.element;
  spec.factors = command.factors;
  spec.accumulate = command.accumulate;
  spec.epilogue = *epilogue;
  if (command.bias)
    spec.bias = address(*command.bias);
  if (command.biasGradient)
    spec.bias = address(*command.biasGradient);
  if (command.aux) {
    spec.aux = address(*command.aux);
    spec.auxLeading = command.auxRow;
  }
  // All ranks choose the same kernel: the alignment is that of any rank's slot.
  spec.aAlignment = alignmentOf(address(command.b), command.b.rankStride);
  spec.bAlignment = alignmentOf(address(command.a), command.a.rankStride);
  spec.dAlignment = alignmentOf(address(command.c), command.c.rankStride);
  return spec;
}

//===----------------------------------------------------------------------===//
// Matmul
//===----------------------------------------------------------------------===//

Expected<Matmul> Matmul::create(const GpuApi &api, BlasHandle handle, const MatmulSpec &spec,
                                const Twine &where, const MatmulKernel *kernel) {
  Matmul matmul;
  matmul.api = &api;
  matmul.handle = handle;
  matmul.where = where.str();
  matmul.shape = spec;
  if (!matmul.isDouble() && spec.element != ElementType::F32)
    return makeError(where + ": only f32 and f64 have matrix products");
  if (spec.factors != spec.element && (matmul.isDouble() || spec.factors != ElementType::BF16))
    return makeError(where + ": the factors of a matrix product have its type, or bf16 where that is f32");
  if (Error error = matmul.describe(spec))
    return error;
  if (kernel) {
    matmul.use(*kernel);
    return matmul;
  }
  Expected<std::vector<MatmulKernel>> first = matmul.kernels(/*most=*/1);
  if (!first)
    return first.takeError();
  matmul.use(first->front());
  return matmul;
}

Error Matmul::describe(const MatmulSpec &spec) {
  const int type = isDouble() ? CUDA_R_64F : CUDA_R_32F;
  const int factorType = spec.factors == ElementType::BF16 ? CUDA_R_16BF : type;
  MatmulDesc newDesc = nullptr;
  if (Error error = checkBlas(
          *api,
          api->cublasLtMatmulDescCreate(&newDesc, isDouble() ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, type),
          where))
    return error;
  desc = own(newDesc, api->cublasLtMatmulDescDestroy);
  auto set = [&](int attribute, const auto &value) {
    return checkBlas(*api, api->cublasLtMatmulDescSetAttribute(newDesc, attribute, &value, sizeof(value)),
                     where);
  };
  if (Error error = set(CUBLASLT_MATMUL_DESC_TRANSA, spec.transposeA ? CUBLAS_OP_T : CUBLAS_OP_N))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_DESC_TRANSB, spec.transposeB ? CUBLAS_OP_T : CUBLAS_OP_N))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_DESC_EPILOGUE, spec.epilogue))
    return error;
  if (spec.bias)
    if (Error error = set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, spec.bias))
      return error;
  if (spec.aux) {
    if (Error error = set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, spec.aux))
      return error;
    if (Error error = set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, spec.auxLeading))
      return error;
  }
  auto layout = [&](Owned<MatrixLayout> &result, int elementType, int64_t rows, int64_t columns,
                    int64_t leading) -> Error {
    MatrixLayout created = nullptr;
    const int status =
        api->cublasLtMatrixLayoutCreate(&created, elementType, uint64_t(rows), uint64_t(columns), leading);
    if (Error error = checkBlas(*api, status, where))
      return error;
    result = own(created, api->cublasLtMatrixLayoutDestroy);
    return Error::success();
  };
  if (Error error = layout(aLayout, factorType, spec.transposeA ? spec.depth : spec.rows,
                           spec.transposeA ? spec.rows : spec.depth, spec.aLeading))
    return error;
  if (Error error = layout(bLayout, factorType, spec.transposeB ? spec.columns : spec.depth,
                           spec.transposeB ? spec.depth : spec.columns, spec.bLeading))
    return error;
  return layout(dLayout, type, spec.rows, spec.columns, spec.dLeading);
}

Expected<std::vector<MatmulKernel>> Matmul::kernels(int most) const {
  MatmulPreference created = nullptr;
  if (Error error = checkBlas(*api, api->cublasLtMatmulPreferenceCreate(&created), where))
    return error;
  Owned<MatmulPreference> preference = own(created, api->cublasLtMatmulPreferenceDestroy);
  auto set = [&](int attribute, const auto &value) {
    return checkBlas(
        *api, api->cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)), where);
  };
  if (Error error = set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMaximumWorkspace))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.aAlignment))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.bAlignment))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.dAlignment))
    return error;
  if (Error error = set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.dAlignment))
    return error;
  std::vector<MatmulHeuristic> found(static_cast<size_t>(most));
  int count = 0;
  const int status =
      api->cublasLtMatmulAlgoGetHeuristic(handle, desc.get(), aLayout.get(), bLayout.get(), dLayout.get(),
                                          dLayout.get(), created, most, found.data(), &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED)
    if (Error error = checkBlas(*api, status, where))
      return error;
  std::vector<MatmulKernel> kernels;
  for (const MatmulHeuristic &heuristic : ArrayRef(found).take_front(status == 0 ? size_t(count) : 0))
    if (heuristic.state == 0 && heuristic.workspaceBytes <= kMaximumWorkspace)
      kernels.push_back({heuristic.algorithm, heuristic.workspaceBytes});
  if (kernels.empty())
    return makeError(where + ": cuBLASLt has no kernel for this product on this GPU; compile the model with "
                             "--disable-pass fuse-epilogues");
  return kernels;
}

Error Matmul::enqueue(const void *a, const void *b, void *d, void *memory, Stream stream) const {
  const float ones[] = {1, 0};
  const double doubleOnes[] = {1, 0};
  auto scalar = [&](bool isOne) -> const void * {
    return isDouble() ? static_cast<const void *>(&doubleOnes[isOne ? 0 : 1]) : &ones[isOne ? 0 : 1];
  };
  const int status = api->cublasLtMatmul(handle, desc.get(), scalar(true), a, aLayout.get(), b, bLayout.get(),
                                         scalar(shape.accumulate), d, dLayout.get(), d, dLayout.get(),
                                         &chosen.algorithm, memory, chosen.workspaceBytes, stream);
  return checkBlas(*api, status, where);
}

} // namespace phantom::rt::gpu
