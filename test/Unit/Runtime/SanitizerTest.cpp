//===- SanitizerTest.cpp - ThreadSanitizer sees races in our code ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "gtest/gtest.h"

#include <array>
#include <cstdio>
#include <string>

TEST(Sanitizer, ReportsThePlantedRace) {
#ifndef __SANITIZE_THREAD__
  GTEST_SKIP() << "needs a ThreadSanitizer build";
#else
  FILE *pipe = popen(PHANTOM_PLANTED_RACE " 2>&1", "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  std::array<char, 4096> buffer;
  while (size_t count = fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), count);
  EXPECT_NE(pclose(pipe), 0);
  EXPECT_NE(output.find("WARNING: ThreadSanitizer: data race"), std::string::npos) << output;
#endif
}
