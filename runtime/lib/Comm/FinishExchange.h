//===- FinishExchange.h - The end of an exchange ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_COMM_FINISHEXCHANGE_H
#define PHANTOM_RT_LIB_COMM_FINISHEXCHANGE_H

#include "phantom-rt/Communicator.h"

namespace phantom::rt {

/// Once the window has what all ranks wrote: writes rank `rank`'s destination. Returns the bytes that it
/// acquired or read of its peers' slots and parts.
int64_t finishExchange(const BoundExchange &bound, int64_t rank, int64_t ranks);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_COMM_FINISHEXCHANGE_H
