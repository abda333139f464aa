//===- CommandLabel.cpp - What people call a command ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommandLabel.h"

#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace phantom::rt {

CommandLabel labelOf(const Program &program, const Command &command) {
  if (const auto *gemm = std::get_if<GemmCommand>(&command))
    return {("gemm " + Twine(gemm->m) + "x" + Twine(gemm->n) + "x" + Twine(gemm->k)).str(), gemm->location,
            "gemm"};
  if (const auto *kernel = std::get_if<KernelCommand>(&command))
    return {program.kernels[kernel->kernel], kernel->location, "kernel"};
  if (const auto *record = std::get_if<EventRecordCommand>(&command))
    return {"record event " + std::to_string(record->event), "", "event"};
  if (const auto *wait = std::get_if<EventWaitCommand>(&command))
    return {"wait event " + std::to_string(wait->event), "", "event"};
  auto labelOfExchange = [&](const char *verb, uint32_t index) -> CommandLabel {
    const Exchange &exchange = program.exchanges[index];
    return {verb + exchange.name, exchange.location, "exchange"};
  };
  if (const auto *collective = std::get_if<CollectiveCommand>(&command))
    return labelOfExchange("", collective->exchange);
  if (const auto *start = std::get_if<ExchangeStartCommand>(&command))
    return labelOfExchange("start ", start->exchange);
  return labelOfExchange("wait ", std::get<ExchangeWaitCommand>(command).exchange);
}

} // namespace phantom::rt
