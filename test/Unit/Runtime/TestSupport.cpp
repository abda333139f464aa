//===- TestSupport.cpp - Helpers of the runtime's tests -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"

#include "phantom-rt/Npy.h"
#include "phantom-rt/Random.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>

using namespace llvm;

namespace phantom::rt::test {

TemporaryFolder::TemporaryFolder() {
  SmallString<128> folder;
  if (sys::fs::createUniqueDirectory("phantom-test", folder))
    std::abort();
  path = folder.str().str();
}

TemporaryFolder::~TemporaryFolder() { sys::fs::remove_directories(path); }

std::string TemporaryFolder::write(const std::string &name, const std::string &content) const {
  std::error_code code;
  raw_fd_ostream stream(file(name), code);
  stream << content;
  return file(name);
}

std::vector<std::string> TemporaryFolder::list() const {
  std::vector<std::string> names;
  std::error_code code;
  for (sys::fs::directory_iterator it(path, code), end; it != end && !code; it.increment(code))
    names.push_back(sys::path::filename(it->path()).str());
  return names;
}

std::string message(Error error) { return error ? toString(std::move(error)) : std::string(); }

::testing::AssertionResult contains(const std::string &text, const std::string &part) {
  if (text.find(part) != std::string::npos)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << part << "' is not in: " << text;
}

void expectNear(float found, double expected, double tolerance, const std::string &where) {
  if (std::isnan(expected))
    EXPECT_TRUE(std::isnan(found)) << where << ": " << found << " instead of NaN";
  else
    EXPECT_NEAR(found, expected, tolerance) << where;
}

std::vector<float> randomFloats(int64_t count, uint64_t seed) {
  std::vector<float> numbers(count);
  UniformStream(seed, "test").draw(0, count, [&](int64_t i, double number) { numbers[i] = float(number); });
  return numbers;
}

std::string npy(const std::string &file, const TensorType &type, const void *data) {
  EXPECT_SUCCESS(writeNpy(file, type, data));
  return file;
}

} // namespace phantom::rt::test
