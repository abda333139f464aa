//===- Matmul.h - Matrix products of cuBLASLt -------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_MATMUL_H
#define PHANTOM_RT_LIB_CUDA_MATMUL_H

#include "Constants.h"
#include "Handles.h"
#include "phantom-rt/Program.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace phantom::rt::gpu {

/// d = epilogue(op(a) · op(b) (+ d where accumulate)), all column-major; d is rows × columns. What cuBLASLt's
/// choice of a kernel may depend on.
struct MatmulShape {
  int64_t rows = 0, columns = 0, depth = 0;
  bool transposeA = false, transposeB = false;
  int64_t aLeading = 0, bLeading = 0, dLeading = 0;
  ElementType element = ElementType::F32; ///< of d, bias and aux
  ElementType factors = ElementType::F32; ///< of a and b: `element`, or BF16 where that is F32
  bool accumulate = false;
  int epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  int64_t auxLeading = 0;
  uint32_t aAlignment = memoryAlignment, bAlignment = memoryAlignment, dAlignment = memoryAlignment;

  auto operator<=>(const MatmulShape &) const = default;
};

struct MatmulSpec : MatmulShape {
  const void *bias = nullptr; ///< of rows: what is added, or where the gradient of it goes
  const void *aux = nullptr;
};

/// One of cuBLASLt's kernels for a product.
struct MatmulKernel {
  MatmulAlgorithm algorithm = {};
  size_t workspaceBytes = 0;
};

/// The product of a row-major GEMM command. `address` gives its buffers' addresses.
llvm::Expected<MatmulSpec> matmulOf(const GemmCommand &command,
                                    llvm::function_ref<std::byte *(const BufferRef &)> address);

/// A product whose kernel was chosen, once: the same for all calls.
class Matmul {
public:
  /// Computed by `kernel`; null: by cuBLASLt's first choice.
  static llvm::Expected<Matmul> create(const GpuApi &api, BlasHandle handle, const MatmulSpec &spec,
                                       const llvm::Twine &where, const MatmulKernel *kernel = nullptr);

  /// cuBLASLt's choices, the one that it thinks fastest first: at least one, and at most `most`.
  llvm::Expected<std::vector<MatmulKernel>> kernels(int most) const;
  void use(const MatmulKernel &kernel) { chosen = kernel; }

  /// `workspace` has at least the bytes that the kernel needs, and no other stream uses it.
  llvm::Error enqueue(const void *a, const void *b, void *d, void *workspace, Stream stream) const;

  const MatmulKernel &kernel() const { return chosen; }

private:
  llvm::Error describe(const MatmulSpec &spec);
  bool isDouble() const { return shape.element == ElementType::F64; }

  const GpuApi *api = nullptr;
  BlasHandle handle = nullptr;
  std::string where;
  MatmulShape shape;
  Owned<MatmulDesc> desc;
  Owned<MatrixLayout> aLayout, bLayout, dLayout;
  MatmulKernel chosen;
};

/// The largest power of two, up to `memoryAlignment`, that divides all of an address and its steps.
uint32_t alignmentOf(const void *address, int64_t step = 0);

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_MATMUL_H
