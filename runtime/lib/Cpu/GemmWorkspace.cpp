//===- GemmWorkspace.cpp - What libraries allocate inside their GEMMs -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Both libraries copy blocks of the factors to where their kernels read them one after another. BLAS has
// columns where we have rows: its left factor is our right one.

#include "phantom-rt/GemmWorkspace.h"

#include "llvm/Support/MathExtras.h"

#include <dnnl.hpp>

using namespace llvm;

namespace phantom::rt {

static bool hasAvx512() {
  static const bool has = (unsigned(dnnl::get_effective_cpu_isa()) & unsigned(dnnl::cpu_isa::avx512_core)) ==
                          unsigned(dnnl::cpu_isa::avx512_core);
  return has;
}

static int64_t alignTo(int64_t value, int64_t multiple) {
  return int64_t(llvm::alignTo(uint64_t(value), uint64_t(multiple)));
}

namespace {

/// Of an f32 GEMM in oneDNN's src/cpu/x64/gemm: jit_init in gemm_info.cpp (v2.6).
struct OneDnnBlocks {
  int64_t leftUnroll, rightUnroll;
  int64_t left, right, rightOfFewSums; ///< columns of ours, rows of ours
  int64_t sums, undividedSums;
};

} // namespace

static constexpr OneDnnBlocks avx2Blocks{24, 4, 10000, 384, 24, 192, 256};
static constexpr OneDnnBlocks avx512Blocks{48, 8, 9984, 384, 24, 384, 384};

/// Whether a kernel for AVX2 reads the factors where they are: the first line of nocopy_checker_avx2 in
/// gemm_driver.cpp. The others concern products of few rows, columns or sums, whose blocks are small.
static bool readsInPlace(const GemmShape &shape) {
  return !hasAvx512() && 1.0 / double(shape.m) + 1.0 / double(shape.n) >= 0.0038;
}

int64_t oneDnnHeapBytes(const GemmShape &shape, int64_t threads) {
  constexpr int64_t page = 4096, fewestSums = 128, fewSums = 48;
  constexpr auto element = int64_t(sizeof(float));
  if (readsInPlace(shape)) // but for 16 columns at a time
    return threads * (alignTo(16 * shape.k * element, page) + 4 * page + 256);
  const OneDnnBlocks &blocks = hasAvx512() ? avx512Blocks : avx2Blocks;
  const int64_t sums = shape.k <= blocks.undividedSums ? std::max(shape.k, fewestSums)
                       : shape.k < 2 * blocks.sums     ? divideCeil(uint64_t(shape.k), 2)
                                                       : blocks.sums;
  const int64_t mostRight = shape.k < fewSums ? blocks.rightOfFewSums : blocks.right;
  const int64_t left = alignTo(std::min(shape.n, blocks.left), blocks.leftUnroll);
  const int64_t right = alignTo(std::min(shape.m, mostRight), blocks.rightUnroll);
  // Threads divide the left factor, and each copies its block of the right one.
  return element * (left * sums + threads * (right * sums + blocks.leftUnroll + right)) + threads * 4 * page;
}

int64_t openBlasBufferBytes(const GemmShape &shape) {
  const int64_t block = hasAvx512() ? 448 : 320, columnsAtOnce = 12;
  auto part = [block](int64_t size) {
    return size >= 2 * block ? block : size > block ? int64_t(divideCeil(uint64_t(size), 2)) : size;
  };
  const int64_t left = part(shape.n), sums = part(shape.k);
  const int64_t right = shape.n > block ? shape.m : std::min(shape.m, columnsAtOnce);
  return int64_t(sizeof(float)) * sums * (left + right);
}

} // namespace phantom::rt
