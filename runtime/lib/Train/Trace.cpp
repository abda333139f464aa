//===- Trace.cpp - Chrome traces of steps ---------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include "phantom-rt/AtomicFile.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace phantom::rt {

namespace {

struct Label {
  std::string name, location;
  StringRef category;
};

} // namespace

static Label labelOf(const Program &program, const Command &command) {
  if (const auto *gemm = std::get_if<GemmCommand>(&command))
    return {("gemm " + Twine(gemm->m) + "x" + Twine(gemm->n) + "x" + Twine(gemm->k)).str(), gemm->location,
            "gemm"};
  if (const auto *kernel = std::get_if<KernelCommand>(&command))
    return {program.kernels[kernel->kernel], kernel->location, "kernel"};
  if (const auto *record = std::get_if<EventRecordCommand>(&command))
    return {"record event " + std::to_string(record->event), "", "event"};
  if (const auto *wait = std::get_if<EventWaitCommand>(&command))
    return {"wait event " + std::to_string(wait->event), "", "event"};
  auto labelOfExchange = [&](const char *verb, uint32_t index) -> Label {
    const Exchange &exchange = program.exchanges[index];
    return {verb + exchange.name, exchange.location, "exchange"};
  };
  if (const auto *collective = std::get_if<CollectiveCommand>(&command))
    return labelOfExchange("", collective->exchange);
  if (const auto *start = std::get_if<ExchangeStartCommand>(&command))
    return labelOfExchange("start ", start->exchange);
  return labelOfExchange("wait ", std::get<ExchangeWaitCommand>(command).exchange);
}

Error writeTrace(StringRef path, const Program &program, ArrayRef<TracedFunction> functions,
                 std::chrono::steady_clock::time_point origin) {
  auto microseconds = [](auto duration) {
    return std::chrono::duration<double, std::micro>(duration).count();
  };
  return writeFileAtomically(path, [&](raw_ostream &out) {
    json::OStream json(out);
    json.object([&] {
      json.attributeArray("traceEvents", [&] {
        auto each = [&](auto visit) {
          for (const TracedFunction &traced : functions)
            for (size_t rank = 0; rank < traced.timings.size(); ++rank)
              for (const CommandTiming &timing : traced.timings[rank])
                visit(traced.function, rank, timing);
        };
        each([&](const Function &function, size_t rank, const CommandTiming &timing) {
          Label label = labelOf(program, function.commands[timing.command]);
          json.object([&] {
            json.attribute("name", label.name);
            json.attribute("cat", label.category);
            json.attribute("ph", "X");
            json.attribute("pid", 0);
            json.attribute("tid", int64_t(rank));
            json.attribute("ts", microseconds(timing.begin - origin));
            json.attribute("dur", microseconds(timing.end - timing.begin));
            json.attributeObject("args", [&] {
              json.attribute("command", int64_t(timing.command));
              json.attribute("location", label.location);
            });
          });
        });
      });
    });
  });
}

} // namespace phantom::rt
