//===- FinishExchange.cpp - The end of an exchange ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FinishExchange.h"

#include "Reduce.h"
#include "llvm/Support/ErrorHandling.h"

#include <cstring>

namespace phantom::rt {

/// Takes the rank's block of every part.
static int64_t copyBlocks(const BoundExchange &bound, int64_t rank, int64_t ranks) {
  const int64_t block = bound.exchange->inner * byteWidth(bound.exchange->element);
  for (int64_t peer = 0; peer < ranks; ++peer)
    std::memcpy(bound.destination + peer * block, bound.window + (peer * ranks + rank) * block,
                size_t(block));
  return (ranks - 1) * block;
}

int64_t finishExchange(const BoundExchange &bound, int64_t rank, int64_t ranks) {
  const Exchange &exchange = *bound.exchange;
  switch (exchange.kind) {
  case ExchangeKind::AllGather:
    // Nothing is copied: the peers' slots may be read from now on.
    return bytesFromPeers(exchange, ranks);
  case ExchangeKind::AllToAll:
    return copyBlocks(bound, rank, ranks);
  case ExchangeKind::ReduceScatter:
  case ExchangeKind::AllReduce:
    return reduceParts(exchange, bound.window, bound.destination, rank, ranks);
  }
  llvm_unreachable("unknown exchange kind");
}

} // namespace phantom::rt
