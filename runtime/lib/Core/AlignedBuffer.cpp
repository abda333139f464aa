//===- AlignedBuffer.cpp - Aligned memory, first touched by its owner -----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/AlignedBuffer.h"

#include "phantom-rt/Error.h"
#include "llvm/Support/Alignment.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Process.h"

#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

using namespace llvm;

namespace phantom::rt {

static constexpr int64_t hugePage = 2 << 20;

void AlignedBuffer::Free::operator()(std::byte *pointer) const {
  if (mapped)
    ::munmap(pointer, size_t(mapped));
  else
    std::free(pointer);
}

static Error outOfMemory(int64_t bytes) {
  return makeError("out of memory: cannot allocate " + Twine(bytes) + " bytes");
}

Expected<AlignedBuffer> AlignedBuffer::create(int64_t bytes) {
  if (bytes >= hugePage)
    return map(bytes);
  AlignedBuffer buffer;
  buffer.bytes = bytes;
  const int64_t rounded = alignedSize(std::max<int64_t>(bytes, 1));
  void *address = nullptr;
  if (::posix_memalign(&address, alignment, rounded) != 0)
    return outOfMemory(bytes);
  buffer.memory.reset(static_cast<std::byte *>(address));
  std::memset(address, 0, rounded);
  return buffer;
}

Expected<AlignedBuffer> AlignedBuffer::map(int64_t bytes) {
  if (bytes > INT64_MAX - 2 * hugePage)
    return outOfMemory(bytes);
  const auto rounded = int64_t(alignTo(uint64_t(bytes), sys::Process::getPageSizeEstimate()));
  void *address =
      ::mmap(nullptr, size_t(rounded + hugePage), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED)
    return outOfMemory(bytes);
  // Keeps what begins at a huge page.
  auto *begin = static_cast<std::byte *>(address);
  const int64_t before = int64_t(offsetToAlignment(uintptr_t(begin), Align(hugePage)));
  if (before > 0)
    ::munmap(begin, size_t(before));
  if (before < hugePage)
    ::munmap(begin + before + rounded, size_t(hugePage - before));
  AlignedBuffer buffer;
  buffer.bytes = bytes;
  buffer.memory = {begin + before, Free{rounded}};
  // Of whole pages, so that no buffer takes up to 2 MiB more than it has. Advice only; a refusal changes
  // nothing.
  ::madvise(buffer.data(), size_t(bytes / hugePage * hugePage), MADV_HUGEPAGE);
  std::memset(buffer.data(), 0, size_t(bytes));
  return buffer;
}

} // namespace phantom::rt
