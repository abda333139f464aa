//===- Regression.h - A model with few commands -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_RUNTIME_REGRESSION_H
#define PHANTOM_TEST_RUNTIME_REGRESSION_H

#include "TestSupport.h"
#include "phantom-rt/Session.h"
#include "llvm/Support/JSON.h"

namespace phantom::rt::test {

constexpr int64_t B = 8, N = 8;

inline int64_t integer(void *const *arguments, int index) {
  return *static_cast<const int64_t *>(arguments[index]);
}
template <typename T = float> T *floats(void *const *arguments, int index) {
  return static_cast<T *>(arguments[index]);
}

/// Linear regression, [B, N] -> [B], each rank holding a share of the weights.
Executable regression(int64_t ranks);

class RegressionTest : public ::testing::Test {
protected:
  /// Targets are a linear function of the inputs.
  DataFiles data(int64_t rows, const std::string &prefix = "");
  TrainOptions options(const DataFiles &files, int64_t steps);
  std::vector<llvm::json::Object> log();
  std::vector<double> losses();

  TemporaryFolder folder;
};

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_RUNTIME_REGRESSION_H
