//===- Memory.h - Memory of the devices, and pinned memory ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_MEMORY_H
#define PHANTOM_SIM_MEMORY_H

#include "Command.h"

#include <map>

namespace phantom::rt::sim {

/// A device's memory is mapped twice: nobody may touch the address that the program has, and the double uses
/// the other. Freed memory keeps its address, so that later uses are known for what they are.
struct Allocation {
  enum class Kind : uint8_t { Device, Window, Pinned };

  /// A command that touched it, as far as later ones can still race with it.
  struct Touch {
    Access access;
    std::string text; ///< of the command
    int device = 0;
    size_t queue = 0;
    uint64_t tick = 0;
  };

  uint64_t number = 0;
  Kind kind = Kind::Device;
  int device = -1;
  uintptr_t begin = 0;
  size_t bytes = 0;
  std::byte *alias = nullptr; ///< where the host finds it; of pinned memory the same address
  bool live = true;
  int windows = 0; ///< registered
  std::vector<Touch> touches;
  std::byte *mapping = nullptr, *aliasMapping = nullptr;
  size_t mappingBytes = 0;

  std::string text() const;
};

class Memory {
public:
  ~Memory();

  /// Null where the host has none.
  Allocation *allocate(Allocation::Kind kind, int device, size_t bytes);
  void release(Allocation &allocation);

  /// The one that `address` is in or just behind, freed or not; null where there is none.
  Allocation *find(const void *address);

  /// Where the double finds the byte of a device or pinned memory; `address` is in a live allocation.
  std::byte *host(const void *address);

  /// Bytes in use on a device.
  size_t used(int device) const;

  const std::map<uintptr_t, std::unique_ptr<Allocation>> &all() const { return allocations; }

private:
  std::map<uintptr_t, std::unique_ptr<Allocation>> allocations;
};

/// "bytes 16 to 31 of allocation 2 (64 bytes on device 0)".
std::string textOf(const Region &region, const Allocation &allocation);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_MEMORY_H
