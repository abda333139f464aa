//===- Memory.cpp - Memory of the devices, and pinned memory --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace llvm;

namespace phantom::rt::sim {

// Of addresses that belong to nobody, on both sides of an allocation.
static constexpr size_t gap = 4096;
// What cudaMalloc promises, and no more, so that programs do not come to need more.
static constexpr size_t deviceAlignment = 256;
// All bits set: NaN as a number of any width.
static constexpr int poison = 0xff;

std::string Allocation::text() const {
  static const char *const kinds[] = {"allocation", "window memory", "pinned memory"};
  std::string place = kind == Kind::Pinned ? "" : " on device " + std::to_string(device);
  return (Twine(kinds[int(kind)]) + " " + Twine(number) + " (" + Twine(bytes) + " bytes" + place + ")").str();
}

std::string textOf(const Region &region, const Allocation &allocation) {
  const uint64_t from = region.begin - allocation.begin;
  std::string text = ("bytes " + Twine(from) + " to " + Twine(region.end() - allocation.begin - 1)).str();
  if (region.count > 1)
    text += (" (" + Twine(region.count) + " rows of " + Twine(region.width) + ")").str();
  return text + " of " + allocation.text();
}

// Maps the same fresh bytes twice: without access, and with.
static bool mapTwice(size_t bytes, std::byte *&closed, std::byte *&open) {
  const int file = ::memfd_create("phantom-sim", MFD_CLOEXEC);
  if (file < 0)
    return false;
  void *first = MAP_FAILED, *second = MAP_FAILED;
  if (::ftruncate(file, off_t(bytes)) == 0) {
    first = ::mmap(nullptr, bytes, PROT_NONE, MAP_SHARED, file, 0);
    second = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  ::close(file);
  if (first != MAP_FAILED && second != MAP_FAILED) {
    closed = static_cast<std::byte *>(first);
    open = static_cast<std::byte *>(second);
    return true;
  }
  for (void *mapping : {first, second})
    if (mapping != MAP_FAILED)
      ::munmap(mapping, bytes);
  return false;
}

Memory::~Memory() {
  for (auto &[address, allocation] : allocations) {
    ::munmap(allocation->mapping, allocation->mappingBytes);
    if (allocation->aliasMapping)
      ::munmap(allocation->aliasMapping, allocation->mappingBytes);
  }
}

Allocation *Memory::allocate(Allocation::Kind kind, int device, size_t bytes) {
  auto made = std::make_unique<Allocation>();
  made->number = allocations.size() + 1;
  made->kind = kind;
  made->device = device;
  made->bytes = bytes;
  const size_t offset = gap + (kind == Allocation::Kind::Device ? deviceAlignment : 0);
  made->mappingBytes = alignTo(offset + bytes + gap, gap);
  if (kind == Allocation::Kind::Pinned) {
    void *mapping =
        ::mmap(nullptr, made->mappingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
      return nullptr;
    made->mapping = static_cast<std::byte *>(mapping);
    made->alias = made->mapping + offset;
  } else {
    if (!mapTwice(made->mappingBytes, made->mapping, made->aliasMapping))
      return nullptr;
    made->alias = made->aliasMapping + offset;
  }
  std::memset(made->alias, poison, bytes);
  made->begin = reinterpret_cast<uintptr_t>(made->mapping + offset);
  return allocations.emplace(made->begin, std::move(made)).first->second.get();
}

void Memory::release(Allocation &allocation) {
  allocation.live = false;
  allocation.touches.clear();
  // Gives the bytes back and keeps the address.
  ::mmap(allocation.mapping, allocation.mappingBytes, PROT_NONE,
         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (allocation.aliasMapping)
    ::munmap(allocation.aliasMapping, allocation.mappingBytes);
  allocation.aliasMapping = nullptr;
  allocation.alias = nullptr;
}

Allocation *Memory::find(const void *address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  auto next = allocations.upper_bound(wanted);
  if (next == allocations.begin())
    return nullptr;
  Allocation &found = *std::prev(next)->second;
  return wanted < found.begin + found.bytes + gap ? &found : nullptr;
}

std::byte *Memory::host(const void *address) {
  Allocation *allocation = find(address);
  return allocation->alias + (reinterpret_cast<uintptr_t>(address) - allocation->begin);
}

size_t Memory::used(int device) const {
  size_t bytes = 0;
  for (const auto &[address, allocation] : allocations)
    if (allocation->live && allocation->device == device)
      bytes += allocation->bytes;
  return bytes;
}

} // namespace phantom::rt::sim
