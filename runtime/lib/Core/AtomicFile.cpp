//===- AtomicFile.cpp - Files and folders that appear whole -------------===//
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
#include <cstdio>
#include <fcntl.h>
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

/// Whether something is there that a file cannot take the place of: a device, as /dev/null, or a pipe.
static bool isSpecial(StringRef path) {
  sys::fs::file_status status;
  return !sys::fs::status(path, status) && sys::fs::is_other(status);
}

static Error fillInPlace(StringRef path, function_ref<Error(raw_ostream &)> write) {
  std::error_code code;
  raw_fd_ostream stream(path, code);
  if (code)
    return cannotWrite(path, code);
  Error error = write(stream);
  stream.close();
  code = stream.error();
  stream.clear_error();
  return error || !code ? std::move(error) : cannotWrite(path, code);
}

/// What is replaced: not a link, but what it leads to.
static std::string targetOf(StringRef path) {
  SmallString<256> target;
  return sys::fs::is_symlink_file(path) && !sys::fs::real_path(path, target) ? target.str().str()
                                                                             : path.str();
}

/// Makes an empty file beside `target`, which `path` leads to.
static Error createTemporary(StringRef path, StringRef target, int &descriptor,
                             SmallVectorImpl<char> &temporary) {
  // LLVM's TempFile would install signal handlers of its own, which would
  // replace those that stop a training run cleanly.
  if (sys::fs::is_directory(path))
    return cannotWrite(path, std::make_error_code(std::errc::is_a_directory));
  if (std::error_code code = sys::fs::createUniqueFile(target + ".tmp-%%%%%%%%", descriptor, temporary))
    return cannotWrite(path, code);
  return Error::success();
}

Error tryWriteFileAtomically(StringRef path, function_ref<Error(raw_ostream &)> write) {
  if (isSpecial(path))
    return fillInPlace(path, write);
  const std::string target = targetOf(path);
  SmallString<256> temporary;
  int descriptor = -1;
  if (Error error = createTemporary(path, target, descriptor, temporary))
    return error;
  Error error = fill(descriptor, path, write);
  if (!error) {
    std::error_code code = sys::fs::rename(temporary, target);
    if (!code)
      return Error::success();
    error = cannotWrite(path, code);
  }
  (void)sys::fs::remove(temporary); // the first error is the one to report
  return error;
}

Error checkCanWrite(StringRef path) {
  if (path.empty() || isSpecial(path))
    return Error::success();
  SmallString<256> temporary;
  int descriptor = -1;
  if (Error error = createTemporary(path, targetOf(path), descriptor, temporary))
    return error;
  ::close(descriptor);
  (void)sys::fs::remove(temporary);
  return Error::success();
}

/// Puts the folder `from` in the place of `to`; what was there, if anything, is at `from` then.
static std::error_code replaceFolder(const std::string &from, const std::string &to) {
  auto lastError = [] { return std::error_code(errno, std::generic_category()); };
  if (!sys::fs::exists(to))
    return sys::fs::rename(from, to);
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0)
    return {};
  if (errno != EINVAL && errno != ENOSYS)
    return lastError();
  // A file system that cannot exchange: for a moment there is nothing at `to`.
  const std::string aside = from + ".old";
  if (::rename(to.c_str(), aside.c_str()) != 0)
    return lastError();
  if (::rename(from.c_str(), to.c_str()) != 0) {
    std::error_code code = lastError();
    (void)::rename(aside.c_str(), to.c_str()); // the first error is the one to report
    return code;
  }
  return sys::fs::rename(aside, from);
}

Error writeFolderAtomically(StringRef path, function_ref<Error(StringRef folder)> fill) {
  const std::string target = path.size() > 1 ? path.rtrim('/').str() : path.str();
  SmallString<256> temporary;
  sys::fs::createUniquePath(target + ".tmp-%%%%%%%%", temporary, /*MakeAbsolute=*/false);
  if (std::error_code code = sys::fs::create_directory(temporary, /*IgnoreExisting=*/false, sys::fs::all_all))
    return cannotWrite(path, code);
  Error error = fill(temporary);
  if (!error)
    if (std::error_code code = replaceFolder(temporary.str().str(), target))
      error = cannotWrite(path, code);
  (void)sys::fs::remove_directories(temporary);
  return error;
}

} // namespace phantom::rt
