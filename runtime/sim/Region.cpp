//===- Region.cpp - Bytes that a command touches --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Region.h"

#include <algorithm>

namespace phantom::rt::sim {

Region Region::rows(const void *memory, size_t width, size_t stride, size_t count) {
  if (count <= 1 || width == stride)
    return contiguous(memory, width * count);
  return {reinterpret_cast<uintptr_t>(memory), width, stride, count};
}

// Whether a row of `region` meets the bytes [begin, end).
static bool meets(const Region &region, uintptr_t begin, uintptr_t end) {
  if (end <= region.begin || begin >= region.end())
    return false;
  if (region.count == 1)
    return true;
  // The last row that begins before `end`; the rows before it end earlier.
  const size_t row = std::min((end - 1 - region.begin) / region.stride, region.count - 1);
  return region.begin + row * region.stride + region.width > begin;
}

bool overlap(const Region &a, const Region &b) {
  if (a.empty() || b.empty() || a.end() <= b.begin || b.end() <= a.begin)
    return false;
  const Region &few = a.count <= b.count ? a : b, &many = a.count <= b.count ? b : a;
  for (size_t row = 0; row < few.count; ++row) {
    const uintptr_t begin = few.begin + row * few.stride;
    if (meets(many, begin, begin + few.width))
      return true;
  }
  return false;
}

bool covers(const Region &outer, const Region &inner) {
  if (outer.count == 1)
    return outer.begin <= inner.begin && inner.end() <= outer.end();
  return outer.begin == inner.begin && outer.width == inner.width && outer.stride == inner.stride &&
         outer.count == inner.count;
}

} // namespace phantom::rt::sim
