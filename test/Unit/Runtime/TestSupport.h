//===- TestSupport.h - Helpers of the runtime's tests ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_RUNTIME_TESTSUPPORT_H
#define PHANTOM_TEST_RUNTIME_TESTSUPPORT_H

#include "phantom-rt/HostTensor.h"
#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"
#include "gtest/gtest.h"

#include <string>

namespace phantom::rt::test {

/// A folder that is removed with its content at the end of the test.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string file(const std::string &name) const { return path + "/" + name; }
  /// Writes a file and returns its path.
  std::string write(const std::string &name, const std::string &content) const;
  /// Whether there are files other than `expected`.
  std::vector<std::string> list() const;

private:
  std::string path;
};

/// The message of an error; "" for success.
std::string message(llvm::Error error);
template <typename T> std::string message(llvm::Expected<T> value) {
  return value ? std::string() : llvm::toString(value.takeError());
}

/// The value, or a failure of the test and an abort of its process.
template <typename T> T value(llvm::Expected<T> expected) {
  if (expected)
    return std::move(*expected);
  ADD_FAILURE() << llvm::toString(expected.takeError());
  std::abort();
}

#define EXPECT_SUCCESS(error) EXPECT_EQ(::phantom::rt::test::message(error), "")
#define ASSERT_SUCCESS(error) ASSERT_EQ(::phantom::rt::test::message(error), "")

/// Expects that `text` contains `part`.
::testing::AssertionResult contains(const std::string &text, const std::string &part);

/// Expects a number near `expected`, or NaN where that is NaN.
void expectNear(float found, double expected, double tolerance, const std::string &where);

/// Numbers that look random: the same for equal arguments.
std::vector<float> randomFloats(int64_t count, uint64_t seed);

std::string npy(const std::string &folderFile, const TensorType &type, const void *data);

inline BufferRef argument(uint32_t index, int64_t offset = 0) { return {Region::Argument, index, offset, 0}; }
inline BufferRef arena(int64_t offset) { return {Region::Arena, 0, offset, 0}; }
inline BufferRef window(uint32_t index, int64_t rankStride = 0) {
  return {Region::Window, index, 0, rankStride};
}

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_RUNTIME_TESTSUPPORT_H
