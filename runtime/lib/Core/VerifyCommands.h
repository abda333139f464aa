//===- VerifyCommands.h - Checks of commands, whatever runs them -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_VERIFYCOMMANDS_H
#define PHANTOM_RT_LIB_CORE_VERIFYCOMMANDS_H

#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"

#include <initializer_list>
#include <optional>

namespace phantom::rt {

/// The product of numbers that are not negative; nothing where it does not fit, or one is.
std::optional<int64_t> checkedProduct(std::initializer_list<int64_t> factors);

/// The bytes from a strided matrix's first element to the end of its last one.
std::optional<int64_t> extentBytes(int64_t rows, int64_t rowStride, int64_t columns, int64_t columnStride,
                                   ElementType element);

/// The buffer and `bytes` from it lie in its region, for every rank.
llvm::Error checkBuffer(const Program &program, const Function &function, const BufferRef &ref,
                        std::optional<int64_t> bytes);

/// Reductions are of a type that sums are made in, f32 or f64.
llvm::Error checkElement(const Exchange &exchange);

/// The sizes and operands of a GEMM, but for those that only GPUs have.
llvm::Error checkGemm(const Program &program, const Function &function, const GemmCommand &gemm);

/// The commands of a function of a GPU program: their buffers, and the order that events give to streams.
llvm::Error verifyGpuCommands(const Program &program, const Function &function);

/// An error of command `index`.
llvm::Error commandError(const Function &function, size_t index, llvm::Error error);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CORE_VERIFYCOMMANDS_H
