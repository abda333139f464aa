//===- ParameterLayout.h - How parameters divide over the ranks ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PARAMETERLAYOUT_H
#define PHANTOM_RT_PARAMETERLAYOUT_H

#include "phantom-rt/HostTensor.h"
#include "phantom-rt/Program.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace phantom::rt {

/// The tensor of all ranks together, as files show it: the stored shape
/// (Replicated), widened p times along the shard dimension (Shard), or with a
/// leading dimension of p (Stacked).
TensorType globalType(const Parameter &parameter, int64_t ranks);

/// Calls run(global, local, count) for the stretches of rank `rank`'s part that
/// are contiguous in the global tensor too; all in elements.
void forEachRun(const Parameter &parameter, int64_t ranks, int64_t rank,
                llvm::function_ref<void(int64_t global, int64_t local, int64_t count)> run);

/// Checks that shapes and layout agree with each other and with the init recipe.
llvm::Error checkParameter(const Parameter &parameter, int64_t ranks);

/// Puts the ranks' parts together; `part(rank)` is the address of one.
HostTensor gatherParts(const Parameter &parameter, int64_t ranks,
                       llvm::function_ref<const void *(int64_t rank)> part);

} // namespace phantom::rt

#endif // PHANTOM_RT_PARAMETERLAYOUT_H
