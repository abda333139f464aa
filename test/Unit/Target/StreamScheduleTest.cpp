//===- StreamScheduleTest.cpp - Events order what they must, and no more -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestModels.h"

#include "gtest/gtest.h"

#include <array>
#include <map>

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// Bytes of one region that a command reads or writes.
struct Range {
  Region region;
  uint32_t index;
  int64_t from, to;
  bool writes;
};

bool conflict(const Range &a, const Range &b) {
  return a.region == b.region && a.index == b.index && a.from < b.to && b.from < a.to &&
         (a.writes || b.writes);
}

/// What a command touches on rank `rank`.
class Ranges {
public:
  Ranges(const Program &program, int64_t rank) : program(program), rank(rank) {}

  std::vector<Range> of(const Command &command) {
    ranges.clear();
    if (auto *gemm = std::get_if<GemmCommand>(&command))
      add(*gemm);
    else if (auto *kernel = std::get_if<KernelCommand>(&command))
      add(*kernel);
    else if (auto *collective = std::get_if<CollectiveCommand>(&command))
      add(*collective);
    return ranges;
  }

private:
  void add(const BufferRef &ref, int64_t bytes, bool writes) {
    const int64_t from = ref.offset + rank * ref.rankStride;
    ranges.push_back({ref.region, ref.index, from, from + bytes, writes});
  }

  void add(const GemmCommand &gemm) {
    auto elements = [](int64_t rows, int64_t row, int64_t columns, int64_t column) {
      return (rows - 1) * row + (columns - 1) * column + 1;
    };
    const int64_t width = byteWidth(gemm.factors);
    add(gemm.a, width * elements(gemm.m, gemm.aRow, gemm.k, gemm.aCol), false);
    add(gemm.b, width * elements(gemm.k, gemm.bRow, gemm.n, gemm.bCol), false);
    if (gemm.bias)
      add(*gemm.bias, 4 * gemm.n, false);
    add(gemm.c, 4 * elements(gemm.m, gemm.cRow, gemm.n, 1), true);
  }

  void add(const KernelCommand &kernel) {
    for (size_t i = 0; i < kernel.arguments.size(); ++i) {
      const KernelArgument &argument = program.kernelArguments[kernel.kernel][i];
      if (argument.reads || argument.writes)
        add(kernel.arguments[i], argument.bytes, argument.writes);
    }
  }

  void add(const CollectiveCommand &collective) {
    const ExchangeKind kind = program.exchanges[collective.exchange].kind;
    const int64_t block = collective.count * byteWidth(collective.element);
    const bool permutes = kind == ExchangeKind::AllToAll;
    const bool divides = permutes || kind == ExchangeKind::ReduceScatter;
    add(collective.send, divides ? block * program.ranks : block, false);
    if (kind != ExchangeKind::AllGather)
      return add(collective.receive, permutes ? block * program.ranks : block, true);
    // In place: the own slot is only read.
    BufferRef others = collective.receive;
    add(others, rank * block, true);
    others.offset += (rank + 1) * block;
    add(others, (program.ranks - 1 - rank) * block, true);
  }

  const Program &program;
  int64_t rank;
  std::vector<Range> ranges;
};

/// Runs `commands` twice, as two steps, and returns two commands that conflict and that nothing orders; "" if
/// there are none.
std::string findRace(const Program &program, const std::vector<Command> &commands, int64_t rank) {
  struct Queued {
    size_t position;
    std::vector<Range> ranges;
  };
  Ranges ranges(program, rank);
  std::array<std::vector<Queued>, 2> queued;
  std::array<std::array<size_t, 2>, 2> known =
      {}; // by stream: commands of each that have run before its next one
  for (int step = 0; step < 2; ++step) {
    std::map<uint32_t, std::array<size_t, 2>> events;
    for (size_t i = 0; i < commands.size(); ++i) {
      if (auto *record = std::get_if<EventRecordCommand>(&commands[i])) {
        events[record->event] = known[size_t(record->stream)];
        continue;
      }
      if (auto *wait = std::get_if<EventWaitCommand>(&commands[i])) {
        for (size_t s = 0; s < 2; ++s)
          known[size_t(wait->stream)][s] =
              std::max(known[size_t(wait->stream)][s], events.at(wait->event)[s]);
        continue;
      }
      const size_t own = std::holds_alternative<CollectiveCommand>(commands[i]) ? 1 : 0;
      const std::vector<Range> touched = ranges.of(commands[i]);
      for (size_t j = known[own][1 - own]; j < queued[1 - own].size(); ++j)
        for (const Range &before : queued[1 - own][j].ranges)
          for (const Range &now : touched)
            if (conflict(before, now))
              return "commands " + std::to_string(queued[1 - own][j].position) + " and " + std::to_string(i);
      queued[own].push_back({i, touched});
      known[own][own] = queued[own].size();
    }
  }
  return "";
}

TEST(StreamSchedule, EveryWaitIsNeeded) {
  int64_t waits = 0;
  for (Strategy strategy : {Strategy::Phantom, Strategy::Tensor, Strategy::Megatron})
    for (int64_t ranks : {2, 4}) {
      CompileOptions options;
      options.strategy = strategy;
      options.ranks = ranks;
      options.ghostWidth = strategy == Strategy::Phantom ? 4 : 0;
      options.functions = {"forward", "evaluate", "gradients", "train_step"};
      options.loss = LossKind::CrossEntropy;
      options.gpu.image = mlir::phantom::GpuImage::None;
      const CompiledGpuProgram compiled =
          value(compileModelForGpu(std::string(PHANTOM_EXAMPLES_DIR) + "/digits/digits.onnx", options));
      for (const Function &function : compiled.program.functions) {
        const std::string name = compiled.program.strategy + ", " + function.name;
        for (int64_t rank : {int64_t(0), ranks - 1})
          EXPECT_EQ(findRace(compiled.program, function.commands, rank), "") << name;
        for (size_t i = 0; i < function.commands.size(); ++i) {
          if (!std::holds_alternative<EventWaitCommand>(function.commands[i]))
            continue;
          ++waits;
          std::vector<Command> without = function.commands;
          without.erase(without.begin() + int64_t(i));
          EXPECT_NE(findRace(compiled.program, without, 0), "")
              << name << ": the wait at " << i << " orders nothing";
        }
      }
    }
  EXPECT_GT(waits, 50);
}

} // namespace
