//===- AlignedBuffer.cpp - Aligned memory, first touched by its owner -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/AlignedBuffer.h"

#include "phantom-rt/Error.h"

#include <cstring>
#include <sys/mman.h>

using namespace llvm;

namespace phantom::rt {

Expected<AlignedBuffer> AlignedBuffer::create(int64_t bytes) {
  constexpr int64_t hugePage = 2 << 20;
  AlignedBuffer buffer;
  buffer.bytes = bytes;
  const int64_t unit = bytes >= hugePage ? hugePage : alignment;
  const int64_t rounded = (std::max<int64_t>(bytes, 1) + unit - 1) / unit * unit;
  buffer.memory.reset(static_cast<std::byte *>(std::aligned_alloc(unit, rounded)));
  if (!buffer.memory)
    return makeError("out of memory: cannot allocate " + Twine(bytes) + " bytes");
  if (unit == hugePage)
    ::madvise(buffer.data(), rounded, MADV_HUGEPAGE); // advice only; a refusal changes nothing
  std::memset(buffer.data(), 0, rounded);
  return buffer;
}

} // namespace phantom::rt
