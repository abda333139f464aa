//===- ProgramJsonTest.cpp - Step programs through JSON and back -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ProgramJson.h"
#include "TestModels.h"
#include "TestSupport.h"
#include "phantom-rt/Random.h"
#include "phantom-rt/VerifyProgram.h"

#include "gtest/gtest.h"

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

std::string json(const Program &program) {
  std::string text;
  llvm::raw_string_ostream out(text);
  writeProgramJson(program, out);
  return text;
}

const Program &trainProgram() {
  static const CompiledProgram compiled = compileMlp(Strategy::Phantom);
  return compiled.executable.program;
}

TEST(ProgramJson, EveryStrategyComesBackAsItWas) {
  for (Strategy strategy : {Strategy::Phantom, Strategy::Tensor, Strategy::Megatron}) {
    CompiledProgram compiled = compileMlp(strategy);
    const Program &program = compiled.executable.program;
    Program read = value(parseProgramJson(json(program), "p.json"));
    EXPECT_TRUE(read == program) << program.strategy;
    EXPECT_SUCCESS(verifyProgram(read));
  }
}

TEST(ProgramJson, EveryMemberAndNameComesBack) {
  Program program = trainProgram();
  program.classes = 7;
  program.constants = {{}, {0}, {1, 2}, {255, 254, 253}, std::vector<uint8_t>(1000, 9)};
  for (uint8_t i = 0; i <= uint8_t(ElementType::BF16); ++i)
    program.functions[0].arguments.push_back({Role::Input, "i\"\n\\ü", {ElementType(i), {2, 0}}, 9});
  for (uint8_t i = 0; i <= uint8_t(Role::SquaredNormReplicated); ++i)
    program.functions[0].results.push_back({Role(i), "", {ElementType::I8, {}}, window(1, 8)});
  for (uint8_t i = 0; i <= uint8_t(Epilogue::Silu); ++i) {
    GemmCommand gemm;
    gemm.epilogue = Epilogue(i);
    gemm.alpha = 0.1 * i;
    gemm.bias = {Region::Constant, 3, INT64_MAX, 0};
    gemm.accumulate = i % 2;
    gemm.element = i % 3 ? ElementType::F32 : ElementType::F64;
    gemm.factors = i % 2 ? ElementType::BF16 : gemm.element;
    program.functions[0].commands.push_back(gemm);
  }
  for (uint8_t i = 0; i <= uint8_t(InitKind::Zeros); ++i) {
    Parameter parameter = program.parameters[0];
    parameter.layout = Layout(i % 3);
    parameter.shardDim = parameter.layout == Layout::Shard ? 1 : 0;
    parameter.init = {
        InitKind(i),
        Source{"a b.onnx", "", 5, 8, {ElementType::F64, {1}}, TensorPart{0, i, 1}, UINT64_MAX - i},
        true,
        4,
        5,
        true};
    parameter.stateOf = "w";
    program.parameters.push_back(parameter);
  }
  for (uint8_t i = 0; i <= uint8_t(ExchangeKind::AllToAll); ++i)
    program.exchanges.push_back({"e", ExchangeKind(i), 3, ElementType::F64, 4, 5, arena(64), "here"});
  EXPECT_TRUE(value(parseProgramJson(json(program), "p.json")) == program);
}

TEST(ProgramJson, ErrorsNameFileAndPlace) {
  const std::string good = json(trainProgram());
  auto refuse = [&](const std::string &from, const std::string &to, const std::string &part) {
    std::string text = good;
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    std::string error = message(parseProgramJson(text, "dir/p.json"));
    EXPECT_TRUE(contains(error, "'dir/p.json' is no step program"));
    EXPECT_TRUE(contains(error, part));
  };
  refuse("{", "[", "Expected");
  refuse("\"ranks\": 2", "\"ranks\": -2", "a whole number that is not negative at program.ranks");
  refuse("\"ranks\": 2", "\"ranks\": 2.5", "at program.ranks");
  refuse("\"ranks\": 2", "\"ranks\": 99999999999999999999", "at program.ranks");
  refuse("\"ranks\"", "\"rank\"", "missing value at program.ranks");
  refuse("\"model\"", "\"extra\": 1, \"model\"", "unknown member at program.extra");
  refuse("\"stacked\"", "\"stack\"", "unknown name at program.parameters[3].layout");
  refuse("\"f32[8, 8]\"", "\"f32[8, -8]\"",
         "a tensor type, such as \"f32[64, 128]\" at program.parameters[3].type");
  refuse("\"f32[8, 8]\"", "\"f32[8, 8,]\"", "at program.parameters[3].type");
  refuse("\"f32[8, 8]\"", "\"f16[8, 8]\"", "at program.parameters[3].type");
  refuse("\"f32[8, 8]\"", "\"f32[4294967296, 4294967296]\"", "at program.parameters[3].type");
  refuse("\"window\": 0", "\"window\": 4294967296", "at program.exchanges[0].window");
  refuse("\"op\": \"kernel\"", "\"op\": \"colonel\"", "expected \"gemm\", \"kernel\"");
  refuse("\"kernel\": \"", "\"kernel\": \"no.",
         "one of the program's kernels at program.functions[1].commands[");
  refuse("\"mnk\": [", "\"mnk\": [1,", "3 sizes");
  refuse("\"c\": \"arena+", "\"c\": \"arena-", "expected a buffer");
  refuse("\"c\": \"arena+", "\"c\": \"attic+", "expected a buffer");
  EXPECT_TRUE(contains(message(parseProgramJson(std::string(100000, '['), "p.json")), "more than 64 levels"));
  EXPECT_TRUE(contains(message(parseProgramJson("", "p.json")), "'p.json' is no step program"));
}

/// Damaged text: an error, or a program that is safe to run. Nothing else.
TEST(ProgramJson, DamageIsAnErrorOrASoundProgram) {
  const std::string good = json(trainProgram());
  int refused = 0;
  UniformStream(1, "damage").draw(0, 3000, [&](int64_t, double number) {
    std::string text = good;
    const double place = (number + 1) / 2 * double(text.size() - 1);
    const char digits[] = "0123456789-\"[]{},:x";
    text[size_t(place)] = digits[size_t(place * 7919) % (sizeof(digits) - 1)];
    llvm::Expected<Program> read = parseProgramJson(text, "p.json");
    llvm::Error error = read ? verifyProgram(*read) : read.takeError();
    refused += bool(error);
    llvm::consumeError(std::move(error));
  });
  EXPECT_GT(refused, 1000);
  for (size_t length = 0; length + 2 < good.size(); length += 37)
    EXPECT_NE(message(parseProgramJson(good.substr(0, length), "p.json")), "") << length;
}

TEST(VerifyProgram, ExtremeNumbersAreErrors) {
  auto refuse = [](auto change, const std::string &part) {
    Program program = trainProgram();
    change(program);
    EXPECT_TRUE(contains(message(verifyProgram(program)), part));
  };
  constexpr int64_t most = INT64_MAX;
  auto gemm = [](Program &program) -> GemmCommand & {
    for (Command &command : program.functions[0].commands)
      if (auto *found = std::get_if<GemmCommand>(&command))
        return *found;
    std::abort();
  };
  refuse([](Program &p) { p.ranks = most; }, "at most 1024");
  refuse([](Program &p) { p.windows[0].bytes = -1; }, "-1 bytes");
  refuse([](Program &p) { p.functions[0].arenaBytes = -1; }, "an arena of -1 bytes");
  refuse([](Program &p) { p.parameters[1].name = p.parameters[0].name; }, "two parameters are named");
  refuse([](Program &p) { p.parameters[0].type.shape = {most, most}; }, "differ in size");
  refuse([](Program &p) { p.functions[0].arguments[0].type.shape = {most, 2}; }, "too large to address");
  refuse([&](Program &p) { gemm(p).m = most, gemm(p).aRow = most; }, "too many bytes");
  refuse([&](Program &p) { gemm(p).aRow = -1; }, "too many bytes");
  refuse([&](Program &p) { gemm(p).a.offset = most; }, "does not fit");
  refuse([](Program &p) { p.exchanges[0].inner = most, p.exchanges[0].outer = most; }, "too small");
}

} // namespace
