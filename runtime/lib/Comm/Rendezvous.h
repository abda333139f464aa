//===- Rendezvous.h - How processes find each other -------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_COMM_RENDEZVOUS_H
#define PHANTOM_RT_LIB_COMM_RENDEZVOUS_H

#include "Frame.h"
#include "phantom-rt/ProcessGroup.h"

namespace phantom::rt {

/// The connections of this process once all have come: to every other rank, by rank, on rank 0; to rank 0
/// alone on the others.
llvm::Expected<std::vector<Socket>> meet(const ProcessGroupOptions &options);

/// Sends a whole frame if that takes less than a second: to tell the reason for an end, which must not hang.
void sendShortly(const Socket &socket, FrameWriter frame);

/// Waits up to a number of seconds for one of `events`; false where none came.
bool awaitEvents(const Socket &socket, short events, double seconds);

/// Rank 0 knows best who is late, so the others give it some time more to say so.
inline double secondsOfOthers(double timeoutSeconds) {
  return timeoutSeconds + std::min(timeoutSeconds, 2.0);
}

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_COMM_RENDEZVOUS_H
