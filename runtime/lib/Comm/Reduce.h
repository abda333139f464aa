//===- Reduce.h - Sums over the ranks' window parts ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_COMM_REDUCE_H
#define PHANTOM_RT_LIB_COMM_REDUCE_H

#include "phantom-rt/Communicator.h"

namespace phantom::rt {

/// Sums what rank `rank` needs over the parts of all ranks, in rank order,
/// straight from the window into `destination`. Returns the bytes read from
/// peers' parts.
int64_t reduceParts(const Exchange &exchange, const std::byte *window, std::byte *destination, int64_t rank,
                    int64_t ranks);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_COMM_REDUCE_H
