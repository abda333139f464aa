//===- Trace.cpp - Chrome traces of steps ---------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include "CommandLabel.h"
#include "phantom-rt/AtomicFile.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace phantom::rt {

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
          const CommandLabel label = labelOf(program, function.commands[timing.command]);
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
