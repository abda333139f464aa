//===- Region.h - Bytes that a command touches ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_REGION_H
#define PHANTOM_SIM_REGION_H

#include <cstddef>
#include <cstdint>

namespace phantom::rt::sim {

/// `count` rows of `width` bytes, whose begins are `stride` bytes apart.
struct Region {
  uintptr_t begin = 0;
  size_t width = 0;
  size_t stride = 0;
  size_t count = 1;

  static Region contiguous(const void *memory, size_t bytes) {
    return {reinterpret_cast<uintptr_t>(memory), bytes, bytes, 1};
  }
  /// Rows without a gap become one.
  static Region rows(const void *memory, size_t width, size_t stride, size_t count);

  bool empty() const { return width == 0 || count == 0; }
  uintptr_t end() const { return empty() ? begin : begin + (count - 1) * stride + width; }
};

/// Whether the two have a byte in common.
bool overlap(const Region &a, const Region &b);

/// Whether all bytes of `inner` are known to be in `outer`.
bool covers(const Region &outer, const Region &inner);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_REGION_H
