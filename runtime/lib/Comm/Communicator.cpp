//===- Communicator.cpp - Split-phase collectives -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Communicator.h"

#include "llvm/Support/ErrorHandling.h"

namespace phantom::rt {

Communicator::~Communicator() = default;

int64_t bytesFromPeers(const Exchange &exchange, int64_t ranks) {
  // Every kind reads outer * inner elements of each peer.
  return (ranks - 1) * exchange.outer * exchange.inner * byteWidth(exchange.element);
}

double ringElements(const Exchange &exchange, int64_t ranks) {
  const double block = double(exchange.outer) * double(exchange.inner);
  if (exchange.kind == ExchangeKind::AllReduce)
    return 2.0 * double(ranks - 1) * block / double(ranks);
  return double(ranks - 1) * block;
}

llvm::StringRef kindName(ExchangeKind kind) {
  switch (kind) {
  case ExchangeKind::AllGather:
    return "all-gather";
  case ExchangeKind::ReduceScatter:
    return "reduce-scatter";
  case ExchangeKind::AllReduce:
    return "all-reduce";
  case ExchangeKind::AllToAll:
    return "all-to-all";
  }
  llvm_unreachable("unknown exchange kind");
}

std::string describe(const Exchange &exchange) {
  std::string text = (kindName(exchange.kind) + " '" + exchange.name + "'").str();
  return exchange.location.empty() ? text : text + " (" + exchange.location + ")";
}

} // namespace phantom::rt
