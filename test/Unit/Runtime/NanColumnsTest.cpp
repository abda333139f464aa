//===- NanColumnsTest.cpp - Tests of what is known of NaN before a run ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NanColumns.h"
#include "TestSupport.h"
#include "phantom-rt/CpuRuntime.h"

#include <cmath>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t rows = 5, shard = 4;

GemmCommand gemm(BufferRef a, int64_t k, uint32_t weights, BufferRef c, int64_t n, int64_t cRow,
                 Epilogue epilogue = Epilogue::Relu) {
  GemmCommand gemm;
  gemm.a = a, gemm.b = argument(weights), gemm.c = c;
  gemm.m = rows, gemm.n = n, gemm.k = k;
  gemm.aRow = k, gemm.bRow = n, gemm.cRow = cRow;
  gemm.epilogue = epilogue;
  return gemm;
}

/// Two layers with relu; the first one's result is gathered.
Executable layers(int64_t ranks) {
  const int64_t width = ranks * shard;
  Executable executable;
  Program &program = executable.program;
  program.ranks = ranks;
  program.batch = rows;
  Exchange gather;
  gather.outer = rows;
  gather.inner = shard;
  program.exchanges = {gather};
  program.windows = {{"gathered", rows * width * 4}};
  Function function;
  function.name = "infer";
  function.arguments = {{Role::Input, "x", {ElementType::F32, {rows, width}}}};
  for (const char *name : {"v", "w"}) {
    Parameter parameter;
    parameter.name = name;
    parameter.type = {ElementType::F32, {width, shard}};
    parameter.layout = Layout::Stacked;
    parameter.storedShape = {width, shard};
    parameter.init.kind = InitKind::Uniform;
    parameter.init.fanIn = width;
    program.parameters.push_back(parameter);
    function.arguments.push_back({Role::Parameter, name, parameter.type});
  }
  function.arenaBytes = 4096;
  function.commands = {gemm(argument(0), width, 1, window(0, shard * 4), shard, width),
                       ExchangeStartCommand{0}, ExchangeWaitCommand{0},
                       gemm(window(0), width, 2, arena(0), shard, shard)};
  function.results = {{Role::Output, "y", {ElementType::F32, {rows, shard}}, arena(0)}};
  program.functions = {function};
  return executable;
}

/// Columns that are known for the last command of the only function.
int64_t known(const Program &program) {
  const Function &function = program.functions[0];
  return columnsNanTogether(program, function, function.commands.size() - 1);
}

/// A program whose commands are these GEMMs, one after another.
Program sequence(std::vector<Command> commands) {
  Program program;
  program.functions.emplace_back();
  program.functions[0].commands = std::move(commands);
  return program;
}

} // namespace

TEST(NanColumns, AllOfAResultAndEachRanksOfAGatheredOne) {
  EXPECT_EQ(known(layers(2).program), shard);
  EXPECT_EQ(known(layers(3).program), shard);
  const GemmCommand reader = gemm(arena(0), 8, 1, arena(1024), 3, 3);
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 8, 8), reader})), 8);
}

TEST(NanColumns, NothingOfWhatOthersWrite) {
  const GemmCommand reader = gemm(arena(0), 8, 1, arena(1024), 3, 3);
  EXPECT_EQ(known(sequence({reader})), 1);
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 8, 8, Epilogue::None), reader})), 1);
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 8, 8, Epilogue::LeakyRelu), reader})), 1);
  GemmCommand sums = gemm(argument(0), 6, 1, arena(0), 8, 8);
  sums.accumulate = true;
  EXPECT_EQ(known(sequence({sums, reader})), 1) << "single elements of a sum can be NaN";
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 8, 9), reader})), 1) << "other rows";
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 7, 8), reader})), 1) << "fewer columns";
  GemmCommand transposed = reader;
  transposed.aRow = 1, transposed.aCol = rows;
  EXPECT_EQ(known(sequence({gemm(argument(0), 6, 1, arena(0), 8, 8), transposed})), 1);
  Program fewerRanks = layers(3).program;
  fewerRanks.ranks = 2;
  EXPECT_EQ(known(fewerRanks), 1);
}

TEST(NanColumns, WhatIsWrittenInBetweenCounts) {
  const GemmCommand writer = gemm(argument(0), 6, 1, arena(0), 8, 8),
                    reader = gemm(arena(0), 8, 1, arena(1024), 3, 3);
  auto between = [&](Command command) {
    Program program = sequence({writer, std::move(command), reader});
    Exchange reduce;
    reduce.kind = ExchangeKind::AllReduce;
    reduce.destination = arena(64);
    program.exchanges = {reduce, reduce};
    program.exchanges[1].destination = arena(512);
    return known(program);
  };
  EXPECT_EQ(between(gemm(argument(0), 6, 1, arena(32), 2, 2)), 1);
  EXPECT_EQ(between(gemm(argument(0), 6, 1, arena(rows * 8 * 4), 2, 2)), 8) << "behind it";
  EXPECT_EQ(between(KernelCommand{0, {arena(512), arena(0)}, ""}), 1) << "in place, as far as is known";
  EXPECT_EQ(between(KernelCommand{0, {arena(512), argument(0)}, ""}), 8);
  EXPECT_EQ(between(ExchangeWaitCommand{0}), 1);
  EXPECT_EQ(between(ExchangeWaitCommand{1}), 8);

  Executable gathered = layers(2);
  std::vector<Command> &commands = gathered.program.functions[0].commands;
  commands.insert(commands.end() - 1, KernelCommand{0, {window(0)}, ""});
  EXPECT_EQ(known(gathered.program), 1);
}

TEST(NanColumns, ARowThatIsNanStaysSoOnAllRanks) {
  const Executable executable = layers(2);
  auto runtime = value(CpuRuntime::create(executable, {}));
  auto instance = value(runtime->bind(executable.program.functions[0]));
  std::vector<float> x = randomFloats(rows * 2 * shard, 3);
  x[2 * 2 * shard + 5] = NAN;
  std::memcpy(instance->argument(0), x.data(), x.size() * sizeof(float));
  ASSERT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
  for (int64_t rank = 0; rank < 2; ++rank) {
    const auto *y =
        reinterpret_cast<const float *>(instance->address(rank, executable.program.functions[0].results[0]));
    for (int64_t i = 0; i < rows * shard; ++i)
      EXPECT_EQ(bool(std::isnan(y[i])), i / shard == 2) << i << " of rank " << rank;
  }
}
