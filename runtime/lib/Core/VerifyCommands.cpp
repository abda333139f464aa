//===- VerifyCommands.cpp - Checks of commands, whatever runs them --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyCommands.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/HostTensor.h"
#include "llvm/Support/CheckedArithmetic.h"

using namespace llvm;

namespace phantom::rt {

std::optional<int64_t> checkedProduct(std::initializer_list<int64_t> factors) {
  std::optional<int64_t> result = 1;
  for (int64_t factor : factors) {
    result = factor < 0 ? std::nullopt : checkedMul(*result, factor);
    if (!result)
      return std::nullopt;
  }
  return result;
}

std::optional<int64_t> extentBytes(int64_t rows, int64_t rowStride, int64_t columns, int64_t columnStride,
                                   ElementType element) {
  std::optional<int64_t> down = checkedProduct({rows - 1, rowStride}),
                         across = checkedProduct({columns - 1, columnStride});
  std::optional<int64_t> last = down && across ? checkedAdd(*down, *across) : std::nullopt;
  std::optional<int64_t> count = last ? checkedAdd<int64_t>(*last, 1) : std::nullopt;
  return count ? checkedProduct({*count, byteWidth(element)}) : std::nullopt;
}

Error checkBuffer(const Program &program, const Function &function, const BufferRef &ref,
                  std::optional<int64_t> bytes) {
  int64_t size = 0;
  size_t count = 0;
  switch (ref.region) {
  case Region::Argument:
    count = function.arguments.size();
    size = ref.index < count ? function.arguments[ref.index].type.bytes() : 0;
    break;
  case Region::Arena:
    count = 1;
    size = function.arenaBytes;
    break;
  case Region::Window:
    count = program.windows.size();
    size = ref.index < count ? program.windows[ref.index].bytes : 0;
    break;
  case Region::Constant:
    count = program.constants.size();
    size = ref.index < count ? static_cast<int64_t>(program.constants[ref.index].size()) : 0;
    break;
  }
  if (ref.index >= count)
    return makeError("a buffer refers to index " + Twine(ref.index) + " of a region with " + Twine(count));
  if (ref.rankStride != 0 && ref.region != Region::Window)
    return makeError("only windows have a rank stride");
  std::optional<int64_t> last = checkedProduct({program.ranks - 1, ref.rankStride});
  if (last)
    last = checkedAdd(*last, ref.offset);
  if (!bytes || !last || ref.offset < 0 || *last > size || *bytes > size - *last)
    return makeError("a buffer of " + (bytes ? Twine(*bytes) : Twine("too many")) + " bytes at offset " +
                     (last ? Twine(*last) : Twine("beyond all memory")) + " does not fit its region of " +
                     Twine(size) + " bytes");
  return Error::success();
}

Error checkElement(const Exchange &exchange) {
  const bool moves = exchange.kind == ExchangeKind::AllGather || exchange.kind == ExchangeKind::AllToAll;
  if (moves || exchange.element == ElementType::F32 || exchange.element == ElementType::F64)
    return Error::success();
  return makeError("exchange '" + exchange.name + "' sums " + typeName(exchange.element) +
                   "; f32 or f64 is needed");
}

Error checkGemm(const Program &program, const Function &function, const GemmCommand &gemm) {
  auto buffer = [&](const BufferRef &ref, std::optional<int64_t> bytes) {
    return checkBuffer(program, function, ref, bytes);
  };
  if (gemm.m < 1 || gemm.n < 1 || gemm.k < 1)
    return makeError("a GEMM has the empty size " + Twine(gemm.m) + "x" + Twine(gemm.n) + "x" +
                     Twine(gemm.k));
  if (gemm.element != ElementType::F32)
    return makeError("GEMM commands are f32; other types are compiled to kernels");
  if (gemm.factors != gemm.element && gemm.factors != ElementType::BF16)
    return makeError("a GEMM of " + typeName(gemm.element) + " has factors of " + typeName(gemm.factors) +
                     "; " + typeName(gemm.element) + " or bf16 is needed");
  if (Error error = buffer(gemm.a, extentBytes(gemm.m, gemm.aRow, gemm.k, gemm.aCol, gemm.factors)))
    return error;
  if (Error error = buffer(gemm.b, extentBytes(gemm.k, gemm.bRow, gemm.n, gemm.bCol, gemm.factors)))
    return error;
  if (gemm.bias)
    if (Error error = buffer(*gemm.bias, checkedProduct({gemm.n, byteWidth(gemm.element)})))
      return error;
  return buffer(gemm.c, extentBytes(gemm.m, gemm.cRow, gemm.n, 1, gemm.element));
}

Error commandError(const Function &function, size_t index, Error error) {
  return makeError("step program: function '" + function.name + "', command " + Twine(index) + ": " +
                   toString(std::move(error)));
}

} // namespace phantom::rt
