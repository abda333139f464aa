//===- AlignedBuffer.h - Aligned memory, first touched by its owner ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_ALIGNEDBUFFER_H
#define PHANTOM_RT_ALIGNEDBUFFER_H

#include "llvm/Support/Error.h"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace phantom::rt {

/// Zeroed memory, aligned for vectors and cache lines (large ones for huge
/// pages). The calling thread touches it first, so that it lies in the memory
/// of that thread's NUMA node. Large ones are not in the heap: they leave no
/// holes there, and the system has them back at once.
class AlignedBuffer {
public:
  static constexpr size_t alignment = 64;

  AlignedBuffer() = default;
  static llvm::Expected<AlignedBuffer> create(int64_t bytes);

  std::byte *data() const { return memory.get(); }
  int64_t size() const { return bytes; }

private:
  struct Free {
    Free() : mapped(0) {}
    explicit Free(int64_t mapped) : mapped(mapped) {}

    int64_t mapped; ///< bytes; 0: in the heap
    void operator()(std::byte *pointer) const;
  };
  static llvm::Expected<AlignedBuffer> map(int64_t bytes);

  std::unique_ptr<std::byte, Free> memory;
  int64_t bytes = 0;
};

/// `bytes`, rounded up to a multiple of the alignment.
inline int64_t alignedSize(int64_t bytes) {
  constexpr int64_t mask = AlignedBuffer::alignment - 1;
  return (bytes + mask) & ~mask;
}

} // namespace phantom::rt

#endif // PHANTOM_RT_ALIGNEDBUFFER_H
