//===- Blas.h - Matrix products as cuBLASLt makes them ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_BLAS_H
#define PHANTOM_SIM_BLAS_H

#include "Command.h"
#include "Handles.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace phantom::rt::sim {

/// cudaDataType_t, as far as products are of it.
enum class MatrixType : int { F32 = 0, F64 = 1, BF16 = 14 };

/// Bits of cublasLtEpilogue_t. Default is 1.
enum EpilogueBit : unsigned {
  EpilogueDefault = 1,
  EpilogueRelu = 2,
  EpilogueBias = 4,
  EpilogueReluGradient = 8,
  EpilogueBiasGradient = 16,
  EpilogueGelu = 32,
  EpilogueGeluGradient = 64,
  EpilogueAux = 128,
};

struct MatmulDescription {
  int computeType = 0, scaleType = 0;
  bool transposeA = false, transposeB = false;
  unsigned epilogue = EpilogueDefault;
  const void *bias = nullptr; ///< read, or the bias gradient that is written
  const void *aux = nullptr;
  int64_t auxLeading = 0;
  int biasType = -1, auxType = -1; ///< -1: as d; no other is supported

  bool hasBias() const { return epilogue & (EpilogueBias | EpilogueBiasGradient); }
  bool hasAux() const { return epilogue & EpilogueAux; }
  bool isGradient() const { return epilogue & (EpilogueReluGradient | EpilogueGeluGradient); }
  /// Whether `aux` has a bit for each element.
  bool hasBitMask() const { return hasAux() && (epilogue & (EpilogueRelu | EpilogueReluGradient)); }
};

/// Column-major.
struct MatrixDescription {
  int type = 0;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
};

struct MatmulPreferences {
  uint64_t workspaceBytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256}; ///< that the addresses of a, b, c and d have at least
};

struct BlasHandle {
  int device = 0;
};

struct BlasState {
  Handles<BlasHandle> handles;
  Handles<MatmulDescription> descriptions;
  Handles<MatrixDescription> layouts;
  Handles<MatmulPreferences> preferences;
};

/// A call of cublasLtMatmul: d = epilogue(alpha * op(a) * op(b) + beta * c).
struct Matmul {
  MatmulDescription description;
  MatrixDescription a, b, c, d;
  const void *aMemory = nullptr, *bMemory = nullptr, *cMemory = nullptr;
  void *dMemory = nullptr;
  double alpha = 1, beta = 0;
  void *workspace = nullptr;
  size_t workspaceBytes = 0;
  uint64_t slices = 1; ///< of the depth: each is summed for itself, and rounded

  uint64_t rows() const { return d.rows; }
  uint64_t columns() const { return d.columns; }
  uint64_t inner() const { return description.transposeA ? a.rows : a.columns; }
  /// "gemm 64x32x16": m, n and k of the row-major product, which has d's rows for its columns.
  std::string text() const;
};

size_t widthOf(int matrixType);

/// What is wrong with the shapes and leading dimensions; "": nothing.
std::string checkShapes(const Matmul &matmul);

/// What is wrong with the addresses; "": nothing.
std::string checkPointers(const Matmul &matmul);

/// Whether cuBLASLt has an algorithm for these types and this epilogue.
bool isSupported(const Matmul &matmul);

/// What the product reads and writes.
std::vector<Access> accessesOf(const Matmul &matmul);

/// Computes it in a fixed order, in double precision; `host` says where an address of device memory is.
void runMatmul(const Matmul &matmul, const std::function<std::byte *(const void *)> &host);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_BLAS_H
