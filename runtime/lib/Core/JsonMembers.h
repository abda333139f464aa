//===- JsonMembers.h - Reads JSON objects strictly -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_JSONMEMBERS_H
#define PHANTOM_RT_LIB_CORE_JSONMEMBERS_H

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/JSON.h"

#include <limits>
#include <optional>
#include <vector>

namespace phantom::rt {

/// A count, size or index: not negative, and not too large for its type.
template <typename Integer> struct Count {
  Integer &value;
};

template <typename Integer>
bool fromJSON(const llvm::json::Value &value, Count<Integer> &out, llvm::json::Path path) {
  std::optional<int64_t> number = value.getAsInteger();
  if (!number || *number < 0 || uint64_t(*number) > uint64_t(std::numeric_limits<Integer>::max())) {
    path.report("expected a whole number that is not negative");
    return false;
  }
  out.value = Integer(*number);
  return true;
}

/// The members of a JSON object, read one by one. After an error nothing more is read.
class Members {
public:
  Members(const llvm::json::Value &value, llvm::json::Path path)
      : object(value.getAsObject()), mapper(value, path), path(path), good(object) {}

  template <typename T> Members &required(llvm::StringLiteral name, T &&out) {
    known.push_back(name);
    good = good && mapper.map(name, out);
    return *this;
  }

  template <typename T> Members &optional(llvm::StringLiteral name, T &&out) {
    known.push_back(name);
    good = good && mapper.mapOptional(name, out);
    return *this;
  }

  template <typename T> Members &optional(llvm::StringLiteral name, std::optional<T> &out) {
    known.push_back(name);
    good = good && mapper.map(name, out);
    return *this;
  }

  /// An array, whose elements `read(value, element, path)` reads.
  template <typename T, typename Read>
  Members &array(llvm::StringLiteral name, std::vector<T> &out, Read read) {
    known.push_back(name);
    const llvm::json::Array *values = good ? object->getArray(name) : nullptr;
    if (good && !values) {
      path.field(name).report("expected array");
      good = false;
    }
    for (size_t i = 0; good && i < values->size(); ++i)
      good = read((*values)[i], out.emplace_back(), path.field(name).index(unsigned(i)));
    return *this;
  }

  /// Whether all were read, and there are no others.
  bool finish() {
    if (!good)
      return false;
    for (const auto &member : *object)
      if (!llvm::is_contained(known, llvm::StringRef(member.first))) {
        path.field(member.first).report("unknown member");
        good = false;
      }
    return good;
  }

  bool isGood() const { return good; }

private:
  const llvm::json::Object *object;
  llvm::json::ObjectMapper mapper;
  llvm::json::Path path;
  bool good;
  llvm::SmallVector<llvm::StringRef, 16> known;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CORE_JSONMEMBERS_H
