//===- AtomicFile.cpp - Files that appear whole or not at all -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/AtomicFile.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"

#include <cerrno>
#include <unistd.h>

using namespace llvm;

namespace phantom::rt {

static Error cannotWrite(StringRef path, std::error_code code) {
  return makeError("cannot write '" + path + "': " + code.message());
}

Error writeFileAtomically(StringRef path, function_ref<void(raw_ostream &)> write) {
  return tryWriteFileAtomically(path, [&](raw_ostream &out) {
    write(out);
    return Error::success();
  });
}

/// Fills the temporary file and closes it.
static Error fill(int descriptor, StringRef path, function_ref<Error(raw_ostream &)> write) {
  std::error_code code;
  raw_fd_ostream stream(descriptor, /*shouldClose=*/true);
  if (Error error = write(stream)) {
    stream.close();
    stream.clear_error();
    return error;
  }
  stream.flush();
  if (!stream.has_error() && ::fsync(descriptor) != 0)
    code = std::error_code(errno, std::generic_category());
  stream.close();
  if (stream.has_error())
    code = stream.error();
  stream.clear_error();
  return code ? cannotWrite(path, code) : Error::success();
}

Error tryWriteFileAtomically(StringRef path, function_ref<Error(raw_ostream &)> write) {
  // LLVM's TempFile would install signal handlers of its own, which would
  // replace those that stop a training run cleanly.
  if (sys::fs::is_directory(path))
    return cannotWrite(path, std::make_error_code(std::errc::is_a_directory));
  SmallString<256> temporary;
  int descriptor = -1;
  if (std::error_code code = sys::fs::createUniqueFile(path + ".tmp-%%%%%%%%", descriptor, temporary))
    return cannotWrite(path, code);
  Error error = fill(descriptor, path, write);
  if (!error) {
    std::error_code code = sys::fs::rename(temporary, path);
    if (!code)
      return Error::success();
    error = cannotWrite(path, code);
  }
  (void)sys::fs::remove(temporary); // the first error is the one to report
  return error;
}

} // namespace phantom::rt
