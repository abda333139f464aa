//===- ValueOrAbort.h - Errors that end a test's process ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_TARGET_VALUEORABORT_H
#define PHANTOM_TEST_TARGET_VALUEORABORT_H

#include "llvm/Support/Error.h"
#include "llvm/Support/ErrorHandling.h"

namespace phantom::test {

template <typename T> T valueOrAbort(llvm::Expected<T> value) {
  if (!value)
    llvm::report_fatal_error(llvm::Twine(llvm::toString(value.takeError())));
  return std::move(*value);
}

inline void check(llvm::Error error) {
  if (error)
    llvm::report_fatal_error(llvm::Twine(llvm::toString(std::move(error))));
}

} // namespace phantom::test

#endif // PHANTOM_TEST_TARGET_VALUEORABORT_H
