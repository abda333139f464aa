//===- TestProgram.h - A training step with every kind of command ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_CUDA_TESTPROGRAM_H
#define PHANTOM_TEST_CUDA_TESTPROGRAM_H

#include "FakeGpu.h"
#include "phantom-rt/Runtime.h"

namespace phantom::rt::test {

/// Of "train_step", where x is [4, 8] and w is each rank's own [8, 8]:
///   g = x·w, gathered; out = the sum of all ranks' g + rank
///   s = block `rank` of the sum over ranks of [1·out[0, :], ..., p·out[0, :]]
///   loss = the sum over ranks of out[0, 0] + rank
///   w -= learning rate · step · s, for each of its rows
Program testProgram(int64_t ranks);

/// Of "infer": out = the all-to-all of w, of each rank's own [p, 6]: row j is row `rank` of rank j's. It is
/// exchanged as elements of that type.
Program permuteProgram(int64_t ranks, ElementType element);

/// Runs the program above, and expects what it should give.
void expectPermuted(Runtime &runtime);

/// What kernel number `kernel` of the program that was made last does.
void runTestKernel(uint32_t kernel, void *const *arguments);
void addTestKernels(FakeGpu &gpu);

/// What steps with learning rate 0.5 give, computed plainly.
struct ExpectedStep {
  std::vector<std::vector<float>> out, w; ///< by rank
  float loss = 0;
};
std::vector<ExpectedStep> expectedSteps(int64_t ranks, int64_t steps, const std::vector<float> &x,
                                        std::vector<std::vector<float>> w);

/// Expects numbers within 1e-5 of the largest expected one.
void expectClose(const float *found, const std::vector<float> &expected, const std::string &what);

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_CUDA_TESTPROGRAM_H
