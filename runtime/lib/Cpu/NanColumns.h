//===- NanColumns.h - Columns that are NaN together -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_NANCOLUMNS_H
#define PHANTOM_RT_LIB_CPU_NANCOLUMNS_H

#include "phantom-rt/Program.h"

namespace phantom::rt {

/// How many neighbouring columns of the first factor of GEMM `index` are NaN together in every row, so that
/// one of them says it for all. More than 1 where the factor is what a GEMM with a NanKeeper has left, or
/// what it has left on all ranks, gathered.
int64_t columnsNanTogether(const Program &program, const Function &function, size_t index);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_NANCOLUMNS_H
