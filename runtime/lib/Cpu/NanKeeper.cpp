//===- NanKeeper.cpp - NaN that activations would hide --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NanKeeper.h"

#include "../Core/VectorWidths.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace llvm;

namespace phantom::rt {

/// Whether one of the values has all bits of the exponent and one of the fraction. `sign`: the sign's bit,
/// `infinity`: what infinity's bits are.
template <typename Bits, Bits sign, Bits infinity>
[[gnu::always_inline]] static inline bool hasNan(const Bits *values, int64_t count, int64_t stride) {
  constexpr auto magnitude = Bits(~sign);
  if (stride != 1) {
    for (int64_t i = 0; i < count; ++i)
      if ((values[i * stride] & magnitude) > infinity)
        return true;
    return false;
  }
  // Without a branch, so that it is vectorised.
  Bits found = 0;
  for (int64_t i = 0; i < count; ++i)
    found |= Bits((values[i] & magnitude) > infinity);
  return found != 0;
}

PHANTOM_VECTOR_WIDTHS
static bool hasNan(ElementType element, const std::byte *base, int64_t offset, int64_t count,
                   int64_t stride) {
  if (element == ElementType::BF16)
    return hasNan<uint16_t, 0x8000, 0x7f80>(reinterpret_cast<const uint16_t *>(base) + offset, count, stride);
  return hasNan<uint32_t, 0x80000000, 0x7f800000>(reinterpret_cast<const uint32_t *>(base) + offset, count,
                                                  stride);
}

bool NanKeeper::isNeeded(const GemmCommand &command) {
  const Epilogue epilogue = command.epilogue;
  return command.element == ElementType::F32 && (epilogue == Epilogue::Relu || epilogue == Epilogue::Elu ||
                                                 epilogue == Epilogue::Sigmoid || epilogue == Epilogue::Tanh);
}

void NanKeeper::find(const GemmCommand &command, const GemmAddresses &addresses, int64_t columns) {
  rows.clear();
  elements.clear();
  const auto *sums = reinterpret_cast<const float *>(addresses.c);
  for (int64_t row = 0; row < command.m; ++row) {
    const int64_t first = row * command.cRow;
    if (hasNan(command.factors, addresses.a, row * command.aRow, divideCeil(command.k, columns),
               command.aCol * columns))
      rows.push_back(row);
    else if (command.accumulate && hasNan(command.element, addresses.c, first, command.n, 1))
      for (int64_t i = first; i < first + command.n; ++i)
        if (std::isnan(sums[i]))
          elements.push_back(i);
  }
}

void NanKeeper::restore(const GemmCommand &command, const GemmAddresses &addresses) const {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  auto *results = reinterpret_cast<float *>(addresses.c);
  for (int64_t row : rows)
    std::fill_n(results + row * command.cRow, command.n, nan);
  for (int64_t i : elements)
    results[i] = nan;
}

} // namespace phantom::rt
