//===- LinkObject.h - Object code, linked into the process ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_LINKOBJECT_H
#define PHANTOM_RT_LIB_CORE_LINKOBJECT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace phantom::rt {

struct LinkedObject {
  std::vector<void *> addresses; ///< of the symbols that were asked for
  std::shared_ptr<void> code;    ///< keeps them valid
};

/// A function of this process that the object may call by that name, besides those of the C library.
struct ProvidedSymbol {
  std::string name;
  void *address;
};

/// Links `object` into this process, and looks `symbols` up in it.
llvm::Expected<LinkedObject> linkObject(const llvm::MemoryBuffer &object, llvm::ArrayRef<std::string> symbols,
                                        llvm::ArrayRef<ProvidedSymbol> provided = {});

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CORE_LINKOBJECT_H
