//===- ProcessGroup.cpp - The processes of one run ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ProcessGroup.h"

using namespace llvm;

namespace phantom::rt {

ProcessGroup::~ProcessGroup() = default;

Error ProcessGroup::barrier(StringRef where) {
  return run({Call::Barrier, where, {}, [](int64_t) { return nullptr; }, {}});
}

Error ProcessGroup::broadcast(MutableArrayRef<std::byte> bytes, StringRef where) {
  return run({Call::Broadcast, where, {}, [](int64_t) { return nullptr; }, bytes});
}

Error ProcessGroup::gather(ArrayRef<std::byte> mine, function_ref<std::byte *(int64_t)> place,
                           StringRef where) {
  return run({Call::Gather, where, mine, place, {}});
}

Error ProcessGroup::allGather(MutableArrayRef<std::byte> parts, StringRef where) {
  const size_t part = parts.size() / size_t(size());
  const auto place = [&](int64_t rank) { return parts.data() + size_t(rank) * part; };
  return run({Call::AllGather, where, {place(rank()), part}, place, parts});
}

} // namespace phantom::rt
