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
  const int64_t rounded = alignedSize(std::max<int64_t>(bytes, 1));
  void *address = nullptr;
  if (::posix_memalign(&address, bytes >= hugePage ? hugePage : alignment, rounded) != 0)
    return makeError("out of memory: cannot allocate " + Twine(bytes) + " bytes");
  buffer.memory.reset(static_cast<std::byte *>(address));
  // Of whole pages, so that no buffer takes up to 2 MiB more than it has. Advice only; a refusal changes
  // nothing.
  if (const int64_t huge = bytes / hugePage * hugePage)
    ::madvise(address, huge, MADV_HUGEPAGE);
  std::memset(address, 0, rounded);
  return buffer;
}

} // namespace phantom::rt
