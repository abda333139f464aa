//===- UniqueNames.h - Names that are given once ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_UNIQUENAMES_H
#define PHANTOM_LIB_TARGET_ONNX_UNIQUENAMES_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <string>

namespace phantom::onnx {

class UniqueNames {
public:
  /// False if the name is taken.
  bool insert(llvm::StringRef name) { return taken.insert(name).second; }

  /// `wanted`, or with a number behind it where that is taken; takes it.
  std::string make(llvm::StringRef wanted) {
    if (insert(wanted))
      return wanted.str();
    // Trying all numbers from the first again would take quadratic time.
    unsigned &suffix = suffixes[wanted];
    std::string name;
    do
      name = wanted.str() + "_" + std::to_string(++suffix);
    while (!insert(name));
    return name;
  }

private:
  llvm::StringSet<> taken;
  llvm::StringMap<unsigned> suffixes; ///< the last one that each name got
};

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_UNIQUENAMES_H
