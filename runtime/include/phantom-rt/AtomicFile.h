//===- AtomicFile.h - Files and folders that appear whole ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_ATOMICFILE_H
#define PHANTOM_RT_ATOMICFILE_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace phantom::rt {

/// Calls `write` on a temporary file beside `path`, flushes it to the disk and
/// renames it to `path`. On any error the temporary file is removed, and what
/// was at `path` before is still there. Where a link is, what it leads to is replaced; a device or a pipe is
/// written to.
llvm::Error writeFileAtomically(llvm::StringRef path, llvm::function_ref<void(llvm::raw_ostream &)> write);

/// The same where `write` itself may fail.
llvm::Error tryWriteFileAtomically(llvm::StringRef path,
                                   llvm::function_ref<llvm::Error(llvm::raw_ostream &)> write);

/// The error that writing there would end with, as far as that can be known before. No path: none.
llvm::Error checkCanWrite(llvm::StringRef path);

/// Calls `fill` with a new folder beside `path`, which then takes the place of what is at `path`. On any
/// error the new folder is removed, and what was at `path` before is still there.
llvm::Error writeFolderAtomically(llvm::StringRef path,
                                  llvm::function_ref<llvm::Error(llvm::StringRef folder)> fill);

} // namespace phantom::rt

#endif // PHANTOM_RT_ATOMICFILE_H
