//===- NanColumns.cpp - Columns that are NaN together ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NanColumns.h"

#include "NanKeeper.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::rt {

/// The memory of a matrix, from its first element on.
struct Extent {
  BufferRef first;
  int64_t bytes;
};

static Extent extentOfA(const GemmCommand &gemm) {
  const int64_t elements = (gemm.m - 1) * gemm.aRow + (gemm.k - 1) * gemm.aCol + 1;
  return {gemm.a, elements * byteWidth(gemm.factors)};
}

static Extent extentOfC(const GemmCommand &gemm) {
  return {gemm.c, ((gemm.m - 1) * gemm.cRow + gemm.n) * byteWidth(gemm.element)};
}

/// Outside of the arena buffers are told apart by their index only.
static bool mayMeet(const Extent &a, const Extent &b) {
  if (a.first.region != b.first.region || a.first.index != b.first.index)
    return false;
  return a.first.region != Region::Arena ||
         (a.first.offset < b.first.offset + b.bytes && b.first.offset < a.first.offset + a.bytes);
}

/// Whether the command may write to a matrix that is in use, so that no other buffer of the arena that is in
/// use meets it.
static bool mayWrite(const Command &command, const Extent &matrix, const Program &program) {
  auto startsIn = [&](const BufferRef &ref) { return mayMeet(matrix, {ref, 1}); };
  if (const auto *gemm = std::get_if<GemmCommand>(&command))
    return mayMeet(matrix, extentOfC(*gemm));
  if (const auto *kernel = std::get_if<KernelCommand>(&command))
    return any_of(kernel->arguments, startsIn);
  if (const auto *wait = std::get_if<ExchangeWaitCommand>(&command)) {
    const std::optional<BufferRef> &destination = program.exchanges[wait->exchange].destination;
    return destination && startsIn(*destination);
  }
  return false;
}

/// The reader's neighbouring columns of which all or none are NaN, if it is `gemm` that has written them.
static std::optional<int64_t> columnsWritten(const GemmCommand &gemm, const GemmCommand &reader,
                                             int64_t ranks) {
  // With a sum, single elements can be NaN.
  if (!NanKeeper::isNeeded(gemm) || gemm.accumulate)
    return std::nullopt;
  if (reader.factors != gemm.element || reader.m != gemm.m || reader.aRow != gemm.cRow || reader.aCol != 1)
    return std::nullopt;
  if (reader.a == gemm.c && reader.k <= gemm.n)
    return reader.k;
  BufferRef window = gemm.c;
  window.rankStride = 0;
  const bool gathers = reader.a == window && reader.k == ranks * gemm.n &&
                       gemm.c.rankStride == gemm.n * byteWidth(gemm.element);
  return gathers ? std::optional(gemm.n) : std::nullopt;
}

int64_t columnsNanTogether(const Program &program, const Function &function, size_t index) {
  const auto &reader = std::get<GemmCommand>(function.commands[index]);
  for (const Command &command : reverse(ArrayRef(function.commands).take_front(index))) {
    if (const auto *gemm = std::get_if<GemmCommand>(&command))
      if (std::optional<int64_t> columns = columnsWritten(*gemm, reader, program.ranks))
        return *columns;
    if (mayWrite(command, extentOfA(reader), program))
      break;
  }
  return 1;
}

} // namespace phantom::rt
