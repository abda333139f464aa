//===- Handles.h - Objects that the program has handles of ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_HANDLES_H
#define PHANTOM_SIM_HANDLES_H

#include "llvm/ADT/STLExtras.h"

#include <memory>
#include <set>
#include <vector>

namespace phantom::rt::sim {

/// Objects and whether they are live. Addresses are not used again, so that a handle of a destroyed object is
/// known for what it is.
template <typename T> class Handles {
public:
  T &add() {
    objects.push_back(std::make_unique<T>());
    live.insert(objects.back().get());
    return *objects.back();
  }
  /// Null where the handle is of no live object.
  T *find(const void *handle) const {
    return live.count(handle) ? static_cast<T *>(const_cast<void *>(handle)) : nullptr;
  }
  void remove(T &object) { live.erase(&object); }
  size_t count() const { return live.size(); }
  /// What is live; may be removed on the way.
  auto allLive() const {
    return llvm::make_filter_range(objects,
                                   [this](const auto &object) { return live.count(object.get()) > 0; });
  }
  /// Destroyed ones too.
  const std::vector<std::unique_ptr<T>> &all() const { return objects; }

private:
  std::vector<std::unique_ptr<T>> objects;
  std::set<const void *> live;
};

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_HANDLES_H
