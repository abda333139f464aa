//===- VerifyProgram.h - Checks a step program before it runs ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_VERIFYPROGRAM_H
#define PHANTOM_RT_VERIFYPROGRAM_H

#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"

namespace phantom::rt {

/// Ranks are threads of one process: more than these are a mistake.
inline constexpr int64_t kMaximumRanks = 1024;

/// Checks every index, offset and size, and that each function starts and
/// waits for its exchanges in pairs, one at a time per window. The numbers may
/// be anything: a program may come from a file.
llvm::Error verifyProgram(const Program &program);

/// Checks the program, and that each of its kernels has code. What passes runs
/// without further checks.
llvm::Error verifyExecutable(const Executable &executable);

} // namespace phantom::rt

#endif // PHANTOM_RT_VERIFYPROGRAM_H
