//===- TestModels.h - Models that several tests compile ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_TARGET_TESTMODELS_H
#define PHANTOM_TEST_TARGET_TESTMODELS_H

#include "TestSupport.h"
#include "phantom/Driver/Compile.h"

namespace phantom::rt::test {

/// Three layers of 16 neurons with random starts, tanh between them, on two ranks, with all their functions:
/// input "x" and output "y" of [4, 16], targets of the mean squared error.
CompiledProgram compileMlp(Strategy strategy);

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_TARGET_TESTMODELS_H
