//===- Paths.h - Paths of files ---------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_PATHS_H
#define PHANTOM_RT_LIB_CORE_PATHS_H

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Path.h"

#include <string>

namespace phantom::rt {

/// The path of the file `name` in a folder.
inline std::string fileIn(llvm::StringRef folder, llvm::StringRef name) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CORE_PATHS_H
