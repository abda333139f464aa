//===- WidenedGemm.cpp - GEMMs of bf16 factors ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// oneDNN reports errors by exceptions; none leaves Gemm.cpp.

#include "GemmLibraries.h"

#include "phantom-rt/AlignedBuffer.h"

#include <bit>

using namespace llvm;

namespace phantom::rt {

namespace {

/// Rows of `length` bf16 elements, and what they are widened to: the same rows without gaps.
struct Rows {
  int64_t count = 0, length = 0, stride = 0;
  const std::byte *from = nullptr;

  int64_t bytes() const { return alignedSize(count * length * int64_t(sizeof(float))); }
};

/// Of a strided matrix, one of whose strides is 1.
Rows rowsOf(const std::byte *from, int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
  return columnStride == 1 ? Rows{rows, columns, rowStride, from} : Rows{columns, rows, columnStride, from};
}

Rows leftRows(const GemmCommand &command, const std::byte *a) {
  return rowsOf(a, command.m, command.k, command.aRow, command.aCol);
}

Rows rightRows(const GemmCommand &command, const std::byte *b) {
  return rowsOf(b, command.k, command.n, command.bRow, command.bCol);
}

void widenRow(const uint16_t *__restrict from, float *__restrict to, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] = std::bit_cast<float>(uint32_t(from[i]) << 16);
}

void widen(const Rows &rows, std::byte *to) {
  const auto *from = reinterpret_cast<const uint16_t *>(rows.from);
  if (rows.stride == rows.length)
    return widenRow(from, reinterpret_cast<float *>(to), rows.count * rows.length);
  for (int64_t row = 0; row < rows.count; ++row)
    widenRow(from + row * rows.stride, reinterpret_cast<float *>(to) + row * rows.length, rows.length);
}

/// The command on widened factors.
GemmCommand widened(const GemmCommand &command) {
  GemmCommand wide = command;
  wide.factors = wide.element;
  (command.aCol == 1 ? wide.aRow : wide.aCol) = leftRows(command, nullptr).length;
  (command.bCol == 1 ? wide.bRow : wide.bCol) = rightRows(command, nullptr).length;
  return wide;
}

/// Scratch memory: that of the GEMM, and behind it a and b.
class WidenedGemm final : public LibraryGemm {
public:
  WidenedGemm(std::unique_ptr<LibraryGemm> gemm, const Rows &a, const Rows &b)
      : gemm(std::move(gemm)), a(a), b(b) {}

  size_t scratchBytes() const override { return size_t(gemmBytes() + a.bytes() + b.bytes()); }
  void setScratch(std::byte *scratch) override {
    gemm->setScratch(scratch);
    wideA = scratch + gemmBytes();
    wideB = wideA + a.bytes();
    gemm->setA(wideA);
    gemm->setB(wideB);
  }
  int64_t heapBytes() const override { return gemm->heapBytes(); }
  int64_t bufferBytes() const override { return gemm->bufferBytes(); }
  void setA(std::byte *newA) override { a.from = newA; }
  void setB(std::byte *newB) override { b.from = newB; }
  bool prepareWeights() override { return gemm->prepareWeights(); }
  bool run() override {
    widen(a, wideA);
    widen(b, wideB);
    return gemm->run();
  }

private:
  int64_t gemmBytes() const { return alignedSize(int64_t(gemm->scratchBytes())); }

  std::unique_ptr<LibraryGemm> gemm;
  Rows a, b;
  std::byte *wideA = nullptr, *wideB = nullptr;
};

} // namespace

bool multipliesBFloat16() {
  static const bool known = [] {
    using dnnl::memory;
    auto matrix = [](memory::data_type type) { return memory::desc({64, 64}, type, memory::format_tag::ab); };
    try {
      const memory::desc factor = matrix(memory::data_type::bf16), result = matrix(memory::data_type::f32);
      const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
      dnnl::matmul::primitive_desc(dnnl::matmul::desc(factor, factor, result), engine);
      return true;
    } catch (const dnnl::error &) {
      return false;
    }
  }();
  return known;
}

std::unique_ptr<LibraryGemm> makeNarrowGemm(GemmKernel kernel, const GemmCommand &command,
                                            const GemmAddresses &addresses, OneDnn &library) {
  if (multipliesBFloat16())
    return makeMatmul(command, addresses, /*packed=*/false, library);
  return std::make_unique<WidenedGemm>(makeGemm(kernel, widened(command), addresses, library),
                                       leftRows(command, addresses.a), rightRows(command, addresses.b));
}

} // namespace phantom::rt
