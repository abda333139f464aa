//===- Mutants.cpp - Small faults in a command list ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutants.h"

#include "HappensBefore.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;
using namespace phantom::rt;

namespace phantom::mutation {

namespace {

StreamKind *streamOf(Command &command) {
  return std::visit(
      [](auto &any) -> StreamKind * {
        if constexpr (requires { any.stream; })
          return &any.stream;
        else
          return nullptr;
      },
      command);
}

std::string describe(const Program &program, const Command &command) {
  if (const auto *gemm = std::get_if<GemmCommand>(&command))
    return "GEMM " + gemm->location;
  if (const auto *kernel = std::get_if<KernelCommand>(&command))
    return "kernel " + program.kernels[kernel->kernel];
  if (const auto *collective = std::get_if<CollectiveCommand>(&command))
    return "exchange " + program.exchanges[collective->exchange].name;
  if (const auto *record = std::get_if<EventRecordCommand>(&command))
    return "record of event " + std::to_string(record->event);
  if (const auto *wait = std::get_if<EventWaitCommand>(&command))
    return "wait for event " + std::to_string(wait->event);
  return "command";
}

class Mutator {
public:
  Mutator(const Program &program, const Function &function) : program(program), function(function) {}

  std::vector<Mutant> all() {
    for (size_t i = 0; i < function.commands.size(); ++i) {
      if (std::holds_alternative<EventWaitCommand>(function.commands[i]))
        remove(i);
      if (Command copy = function.commands[i]; streamOf(copy))
        change("stream", i, "on the other stream", [](Command &command) {
          StreamKind &stream = *streamOf(command);
          stream = stream == StreamKind::Compute ? StreamKind::Exchange : StreamKind::Compute;
        });
      if (std::holds_alternative<CollectiveCommand>(function.commands[i]))
        collective(i);
    }
    return std::move(mutants);
  }

private:
  void add(StringRef kind, size_t at, StringRef what, std::vector<Command> commands,
           std::vector<size_t> removed = {}) {
    mutants.push_back(
        {kind.str(),
         (Twine("command ") + Twine(at) + ", " + describe(program, function.commands[at]) + ": " + what)
             .str(),
         std::move(commands), std::move(removed)});
  }

  void remove(size_t at) {
    const uint32_t event = std::get<EventWaitCommand>(function.commands[at]).event;
    std::vector<size_t> records;
    size_t waits = 0;
    for (size_t i = 0; i < function.commands.size(); ++i) {
      const auto *record = std::get_if<EventRecordCommand>(&function.commands[i]);
      const auto *wait = std::get_if<EventWaitCommand>(&function.commands[i]);
      if (record && record->event == event)
        records.push_back(i);
      waits += wait && wait->event == event;
    }
    std::vector<size_t> removed{at};
    if (waits == 1)
      removed.insert(removed.begin(), records.begin(), records.end());
    std::vector<Command> commands = function.commands;
    for (size_t index : reverse(removed))
      commands.erase(commands.begin() + ptrdiff_t(index));
    add("wait", at, "left out", std::move(commands), std::move(removed));
  }

  template <typename Edit> void change(StringRef kind, size_t at, StringRef what, Edit edit) {
    std::vector<Command> commands = function.commands;
    edit(commands[at]);
    add(kind, at, what, std::move(commands));
  }

  template <typename Edit> void changeCollective(StringRef kind, size_t at, StringRef what, Edit edit) {
    change(kind, at, what, [&](Command &command) { edit(std::get<CollectiveCommand>(command)); });
  }

  void collective(size_t at) {
    const auto &original = std::get<CollectiveCommand>(function.commands[at]);
    const int64_t element = byteWidth(original.element);
    changeCollective("count", at, "an element more", [](CollectiveCommand &c) { ++c.count; });
    if (original.count > 1)
      changeCollective("count", at, "an element less", [](CollectiveCommand &c) { --c.count; });
    changeCollective("type", at, "of another type", [](CollectiveCommand &c) {
      c.element = c.element == ElementType::F64 ? ElementType::F32 : ElementType::F64;
    });
    changeCollective("type", at, "integers", [](CollectiveCommand &c) { c.element = ElementType::I32; });
    if (program.ranks > 1 && original.send.rankStride)
      changeCollective("order", at, "slots in the other order", [&](CollectiveCommand &c) {
        c.send.offset += (program.ranks - 1) * c.send.rankStride;
        c.send.rankStride = -c.send.rankStride;
      });
    changeCollective("slot", at, "sends from an element further",
                     [&](CollectiveCommand &c) { c.send.offset += element; });
    changeCollective("slot", at, "receives an element further",
                     [&](CollectiveCommand &c) { c.receive.offset += element; });
    // As another exchange of the same size, if there is one: what a wrong number in a table would do.
    for (const Command &command : function.commands)
      if (const auto *other = std::get_if<CollectiveCommand>(&command);
          other && other->exchange != original.exchange && other->count == original.count &&
          program.exchanges[other->exchange].kind == program.exchanges[original.exchange].kind) {
        changeCollective("slot", at, "sends what another exchange sends",
                         [&](CollectiveCommand &c) { c.send = other->send; });
        break;
      }
  }

  const Program &program;
  const Function &function;
  std::vector<Mutant> mutants;
};

bool isEvent(const Command &command) {
  return std::holds_alternative<EventRecordCommand>(command) ||
         std::holds_alternative<EventWaitCommand>(command);
}

} // namespace

std::vector<Mutant> mutantsOf(const Program &program, const Function &function) {
  return Mutator(program, function).all();
}

bool sameOrder(const std::vector<Command> &original, const Mutant &mutant) {
  const HappensBefore before(original), after(mutant.commands);
  auto moved = [&](size_t index) {
    return index - size_t(count_if(mutant.removed, [&](size_t removed) { return removed < index; }));
  };
  std::vector<size_t> work;
  for (size_t i = 0; i < original.size(); ++i)
    if (!isEvent(original[i]))
      work.push_back(i);
  return all_of(work, [&](size_t i) {
    return before.afterBegin(i) == after.afterBegin(moved(i)) &&
           before.beforeEnd(i) == after.beforeEnd(moved(i)) &&
           all_of(work, [&](size_t j) { return before.ordered(i, j) == after.ordered(moved(i), moved(j)); });
  });
}

} // namespace phantom::mutation
