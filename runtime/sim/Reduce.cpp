//===- Reduce.cpp - Sums of the ranks' buffers ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Nccl.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

namespace phantom::rt::sim {

// ncclDataType_t.
enum NcclType : int { Int8, Uint8, Int32, Uint32, Int64, Uint64, Float16, Float32, Float64, Bfloat16 };
// ncclRedOp_t.
enum NcclOperation : int { Sum, Product, Maximum, Minimum, Average };

size_t ncclTypeBytes(int type) {
  static constexpr size_t bytes[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1};
  return type >= 0 && size_t(type) < std::size(bytes) ? bytes[type] : 0;
}

bool canReduce(int type, int operation) {
  return type >= Int8 && type <= Bfloat16 && type != Float16 && operation >= Sum && operation <= Average;
}

namespace {

/// A number of 16 bits that is computed with as a float.
struct BrainFloat {
  uint16_t bits;

  BrainFloat() = default;
  BrainFloat(float value) {
    uint32_t wide;
    std::memcpy(&wide, &value, sizeof(wide));
    bits = std::isnan(value) ? uint16_t(0x7fff) : uint16_t((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
  }
  operator float() const {
    const uint32_t wide = uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof(value));
    return value;
  }
};

} // namespace

/// Whole numbers wrap around.
template <typename T> static T combine(int operation, T a, T b) {
  using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
  switch (operation) {
  case Product:
    return T(Wrapping(a) * Wrapping(b));
  case Maximum:
    return std::max(a, b);
  case Minimum:
    return std::min(a, b);
  default:
    return T(Wrapping(a) + Wrapping(b));
  }
}

// `T` is stored and `Wide` is computed with.
template <typename T, typename Wide = T>
static void reduce(int operation, llvm::function_ref<const std::byte *(int)> buffer, int ranks, size_t count,
                   std::byte *result) {
  for (size_t i = 0; i < count; ++i) {
    T part;
    std::memcpy(&part, buffer(0) + i * sizeof(T), sizeof(T));
    Wide value = part;
    for (int rank = 1; rank < ranks; ++rank) {
      std::memcpy(&part, buffer(rank) + i * sizeof(T), sizeof(T));
      value = combine<Wide>(operation, value, part);
    }
    if (operation == Average)
      value = Wide(value / Wide(ranks));
    part = T(value);
    std::memcpy(result + i * sizeof(T), &part, sizeof(T));
  }
}

void reduceBuffers(int type, int operation, llvm::function_ref<const std::byte *(int)> buffer, int ranks,
                   size_t count, std::byte *result) {
  switch (type) {
  case Int8:
    return reduce<int8_t>(operation, buffer, ranks, count, result);
  case Uint8:
    return reduce<uint8_t>(operation, buffer, ranks, count, result);
  case Int32:
    return reduce<int32_t>(operation, buffer, ranks, count, result);
  case Uint32:
    return reduce<uint32_t>(operation, buffer, ranks, count, result);
  case Int64:
    return reduce<int64_t>(operation, buffer, ranks, count, result);
  case Uint64:
    return reduce<uint64_t>(operation, buffer, ranks, count, result);
  case Float32:
    return reduce<float>(operation, buffer, ranks, count, result);
  case Float64:
    return reduce<double>(operation, buffer, ranks, count, result);
  case Bfloat16:
    return reduce<BrainFloat, float>(operation, buffer, ranks, count, result);
  }
}

} // namespace phantom::rt::sim
