//===- Trace.cpp - Chrome traces of steps ---------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"

#include "../Core/ProgramNames.h"
#include "CommandLabel.h"
#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Communicator.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <variant>

using namespace llvm;

namespace phantom::rt {

namespace {

using Clock = std::chrono::steady_clock;

/// What a trace says of a command, but for when it ran.
struct Label {
  std::string name, location;
  StringRef category;
  StreamKind stream = StreamKind::Compute;
  json::Object arguments;
};

/// Adds to labels of commands what only a trace has.
class Details {
public:
  Details(const Program &program, Label &label) : program(program), label(label) {}

  void operator()(const GemmCommand &gemm) const;
  void operator()(const KernelCommand &kernel) const;
  void operator()(const ExchangeStartCommand &start) const { ofExchange("start ", start.exchange); }
  void operator()(const ExchangeWaitCommand &wait) const {
    ofExchange("wait ", wait.exchange);
    label.category = "wait";
  }
  void operator()(const CollectiveCommand &collective) const {
    ofExchange("", collective.exchange);
    label.stream = collective.stream;
  }
  void operator()(const EventRecordCommand &record) const { label.stream = record.stream; }
  void operator()(const EventWaitCommand &wait) const {
    label.category = "wait";
    label.stream = wait.stream;
  }

private:
  void ofExchange(const Twine &verb, uint32_t index) const;

  const Program &program;
  Label &label;
};

/// Writes the events of one rank, which is a process of the trace; its streams are the threads.
class RankWriter {
public:
  RankWriter(json::OStream &json, const Program &program, const Function &function, int64_t rank,
             Clock::time_point origin)
      : json(json), program(program), function(function), rank(rank), origin(origin) {}

  void writeNames();
  void writeCommands(ArrayRef<CommandTiming> timings);

private:
  void writeName(StringRef what, StreamKind stream, StringRef name);
  void writeEvent(const Label &label, Clock::time_point begin, Clock::time_point end);
  void writeTime(StringRef key, Clock::duration time);
  Label labelOf(const CommandTiming &timing) const;

  json::OStream &json;
  const Program &program;
  const Function &function;
  int64_t rank;
  Clock::time_point origin;
};

} // namespace

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

void Details::operator()(const GemmCommand &gemm) const {
  const std::string shape = (Twine(gemm.m) + "x" + Twine(gemm.n) + "x" + Twine(gemm.k)).str();
  const int64_t results = gemm.m * gemm.n * (gemm.accumulate ? 2 : 1) + (gemm.bias ? gemm.n : 0);
  label.stream = gemm.stream;
  const int64_t factorBytes = (gemm.m * gemm.k + gemm.k * gemm.n) * byteWidth(gemm.factors);
  label.arguments = json::Object{{"shape", shape},
                                 {"flops", 2 * gemm.m * gemm.n * gemm.k},
                                 {"bytes", factorBytes + results * byteWidth(gemm.element)}};
  if (gemm.factors != gemm.element)
    label.arguments["factors"] = nameOf(gemm.factors);
  if (gemm.epilogue != Epilogue::None)
    label.arguments["epilogue"] = nameOf(gemm.epilogue);
}

void Details::operator()(const KernelCommand &kernel) const {
  label.stream = kernel.stream;
  label.arguments["buffers"] = int64_t(kernel.arguments.size());
  if (program.device != DeviceKind::Gpu)
    return;
  int64_t bytes = 0;
  for (const KernelArgument &argument : program.kernelArguments[kernel.kernel])
    bytes += argument.bytes * (int64_t(argument.reads) + int64_t(argument.writes));
  label.arguments["bytes"] = bytes;
  label.arguments["blocks"] = kernel.shape.blocks;
  label.arguments["threads"] = kernel.shape.threads;
}

/// The name is that of the kind; the exchange's own is an argument.
void Details::ofExchange(const Twine &verb, uint32_t index) const {
  const Exchange &exchange = program.exchanges[index];
  label.name = (verb + kindName(exchange.kind)).str();
  label.arguments = json::Object{{"exchange", exchange.name},
                                 {"elements", fullElements(exchange, program.ranks)},
                                 {"bytes", bytesFromPeers(exchange, program.ranks)}};
}

Label RankWriter::labelOf(const CommandTiming &timing) const {
  const Command &command = function.commands[timing.command];
  const CommandLabel known = phantom::rt::labelOf(program, command);
  Label label{known.name, known.location, known.category, StreamKind::Compute, {}};
  std::visit(Details(program, label), command);
  if (!label.location.empty())
    label.name += " " + label.location;
  return label;
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

void RankWriter::writeName(StringRef what, StreamKind stream, StringRef name) {
  json.object([&] {
    json.attribute("name", what);
    json.attribute("ph", "M");
    json.attribute("pid", rank);
    json.attribute("tid", int64_t(stream));
    json.attributeObject("args", [&] { json.attribute("name", name); });
  });
}

void RankWriter::writeNames() {
  writeName("process_name", StreamKind::Compute, "rank " + std::to_string(rank));
  if (program.device == DeviceKind::Cpu)
    return writeName("thread_name", StreamKind::Compute, "commands");
  for (StreamKind stream : {StreamKind::Compute, StreamKind::Exchange})
    writeName("thread_name", stream, nameOf(stream));
}

/// In microseconds, as the format wants, and to the nanosecond: an event that ends where the next one begins
/// must not reach into it.
void RankWriter::writeTime(StringRef key, Clock::duration time) {
  const int64_t nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
  std::string text;
  raw_string_ostream(text) << (nanoseconds < 0 ? "-" : "")
                           << format("%llu.%03llu", AbsoluteValue(nanoseconds) / 1000ull,
                                     AbsoluteValue(nanoseconds) % 1000ull);
  json.attributeBegin(key);
  json.rawValue(text);
  json.attributeEnd();
}

void RankWriter::writeEvent(const Label &label, Clock::time_point begin, Clock::time_point end) {
  json.object([&] {
    json.attribute("name", label.name);
    json.attribute("cat", label.category);
    json.attribute("ph", "X");
    json.attribute("pid", rank);
    json.attribute("tid", int64_t(label.stream));
    writeTime("ts", begin - origin);
    writeTime("dur", end - begin);
    json.attribute("args", json::Object(label.arguments));
  });
}

void RankWriter::writeCommands(ArrayRef<CommandTiming> timings) {
  int64_t run = 0;
  while (!timings.empty()) {
    // Each run of the function begins with its first command.
    const auto *next = find_if(timings.drop_front(), [&](const CommandTiming &timing) {
      return timing.command <= timings.front().command;
    });
    ArrayRef<CommandTiming> commands = timings.take_front(size_t(next - timings.begin()));
    timings = timings.drop_front(commands.size());

    Label whole{function.name, "", "run", StreamKind::Compute, json::Object{{"run", ++run}}};
    Clock::time_point begin = Clock::time_point::max(), end = Clock::time_point::min();
    std::vector<Label> labels;
    for (const CommandTiming &timing : commands) {
      Label &label = labels.emplace_back(labelOf(timing));
      label.arguments["command"] = int64_t(timing.command);
      label.arguments["location"] = label.location;
      if (label.stream != whole.stream)
        continue;
      begin = std::min(begin, timing.begin);
      end = std::max(end, timing.end);
    }
    if (begin <= end)
      writeEvent(whole, begin, end);
    for (auto [timing, label] : zip_equal(commands, labels))
      writeEvent(label, timing.begin, timing.end);
  }
}

Error writeTrace(StringRef path, const Program &program, ArrayRef<TracedFunction> functions,
                 Clock::time_point origin) {
  return writeFileAtomically(path, [&](raw_ostream &out) {
    json::OStream json(out);
    json.object([&] {
      json.attributeObject("otherData", [&] {
        json.attribute("model", program.model);
        json.attribute("strategy", program.strategy);
        json.attribute("ranks", program.ranks);
      });
      json.attributeArray("traceEvents", [&] {
        for (const TracedFunction &traced : functions)
          for (auto [rank, measured] : enumerate(traced.timings)) {
            RankWriter writer(json, program, traced.function, int64_t(rank), origin);
            if (&traced == functions.begin())
              writer.writeNames();
            writer.writeCommands(measured);
          }
      });
    });
  });
}

} // namespace phantom::rt
