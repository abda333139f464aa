//===- GpuProgramTest.cpp - GPU programs: JSON and verification -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/ProgramJson.h"
#include "phantom-rt/VerifyProgram.h"

#include "gtest/gtest.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr StreamKind kCompute = StreamKind::Compute, kExchange = StreamKind::Exchange;

/// On two ranks: a GEMM makes this rank's slot [2, 4], which is gathered beside a kernel; then a GEMM reads
/// all.
Program gatherProgram() {
  Program program;
  program.device = DeviceKind::Gpu;
  program.model = "gather";
  program.ranks = 2;
  program.batch = 2;
  program.windows = {{"w", 64}, {"r", 64}};
  program.exchanges = {{"g", ExchangeKind::AllGather, 0, ElementType::F32, 1, 8, std::nullopt, "here"},
                       {"s", ExchangeKind::ReduceScatter, 1, ElementType::F32, 1, 8, std::nullopt, "there"}};
  program.kernels = {"k"};
  program.kernelArguments = {{{true, false, 32}, {true, true, 64}}};
  Function &function = program.functions.emplace_back();
  function.name = "infer";
  function.arenaBytes = 256;
  function.events = 4;
  GemmCommand make, use;
  make.a = make.b = arena(0);
  make.m = 2, make.n = 4, make.k = 1;
  make.aRow = 1, make.bRow = 4, make.cRow = 4, make.bCol = 1;
  make.c = {Region::Window, 0, 0, 32};
  make.location = use.location = "gemm";
  use = make;
  use.a = {Region::Window, 0, 0, 0};
  use.c = arena(128);
  use.epilogue = Epilogue::GeluTanhAux;
  use.aux = arena(0);
  use.auxRow = 8;
  KernelCommand kernel{0, {arena(64), arena(128)}, "kernel", kCompute, {2, 128}};
  CollectiveCommand gather{0, kExchange, {Region::Window, 0, 0, 32}, {Region::Window, 0, 0, 0}, 8};
  CollectiveCommand scatter{1, kExchange, {Region::Window, 1, 0, 0}, arena(192), 8};
  function.commands = {make,
                       EventRecordCommand{0, kCompute},
                       EventWaitCommand{0, kExchange},
                       gather,
                       EventRecordCommand{1, kExchange},
                       kernel,
                       EventWaitCommand{1, kCompute},
                       use,
                       EventRecordCommand{2, kCompute},
                       EventWaitCommand{2, kExchange},
                       scatter,
                       EventRecordCommand{3, kExchange},
                       EventWaitCommand{3, kCompute}};
  return program;
}

TEST(GpuProgram, ComesBackFromJson) {
  Program program = gatherProgram();
  GemmCommand &gemm = std::get<GemmCommand>(program.functions[0].commands[7]);
  gemm.stream = kExchange;
  gemm.biasGradient = arena(8);
  std::get<KernelCommand>(program.functions[0].commands[5]).stream = kExchange;
  std::get<CollectiveCommand>(program.functions[0].commands[3]).stream = kCompute;
  for (uint8_t i = 0; i <= uint8_t(Epilogue::GeluTanhGradient); ++i) {
    gemm.epilogue = Epilogue(i);
    std::string text;
    llvm::raw_string_ostream out(text);
    writeProgramJson(program, out);
    EXPECT_TRUE(value(parseProgramJson(text, "p.json")) == program);
  }
}

TEST(GpuProgram, IsVerified) { EXPECT_SUCCESS(verifyProgram(gatherProgram())); }

/// Each change of a sound program is refused, with its reason.
TEST(GpuProgram, UnsoundOnesAreErrors) {
  auto refuse = [](auto change, const std::string &part) {
    Program program = gatherProgram();
    change(program, program.functions[0]);
    EXPECT_TRUE(contains(message(verifyProgram(program)), part)) << part;
  };
  auto gather = [](Function &f) -> CollectiveCommand & { return std::get<CollectiveCommand>(f.commands[3]); };
  auto scatter = [](Function &f) -> CollectiveCommand & {
    return std::get<CollectiveCommand>(f.commands[10]);
  };
  auto kernel = [](Function &f) -> KernelCommand & { return std::get<KernelCommand>(f.commands[5]); };
  auto gemm = [](Function &f) -> GemmCommand & { return std::get<GemmCommand>(f.commands[7]); };
  auto erase = [](size_t i) {
    return [i](Program &, Function &f) { f.commands.erase(f.commands.begin() + int64_t(i)); };
  };
  using F = Function &;
  using P = Program &;

  refuse(erase(1), "event 0 is waited for before it is recorded");
  refuse(erase(2), "begins without waiting for an event of the compute stream");
  refuse(erase(4), "event 1 is waited for before it is recorded");
  refuse(erase(6), "event 1 is never waited for");
  refuse(erase(12), "event 3 is never waited for");
  refuse([](P, F f) { f.commands.resize(11), f.events = 3; }, "ends before the exchange stream does");
  refuse([](P, F f) { f.events = 5; }, "event 4 is never recorded");
  refuse([](P, F f) { f.events = INT64_MAX; }, "events and 13 commands");
  refuse([](P, F f) { f.commands[11] = f.commands[4]; }, "event 1 is recorded twice");
  refuse([](P, F f) { f.commands[11] = EventRecordCommand{9, kExchange}; }, "event 9 does not exist");
  refuse([](P, F f) { std::get<EventWaitCommand>(f.commands[6]).stream = kExchange; },
         "waited for by the stream that records it");
  refuse([](P, F f) { f.commands.insert(f.commands.begin(), EventRecordCommand{1, kExchange}); },
         "before it begins");
  refuse([](P, F f) { f.commands[3] = ExchangeStartCommand{0}; }, "GPUs have collectives");
  refuse([](P, F f) { f.commands[3] = ExchangeWaitCommand{0}; }, "GPUs have collectives");

  refuse([&](P, F f) { gather(f).exchange = 7; }, "exchange 7 does not exist");
  refuse([&](P, F f) { gather(f).count = 4; }, "has blocks of 8 elements, but 4 are sent");
  refuse([&](P, F f) { gather(f).element = ElementType::F64; }, "is of f32, but f64 is sent");
  refuse([&](P, F f) { gather(f).send = {Region::Window, 1, 0, 32}; }, "does not send from its window");
  refuse([&](P, F f) { gather(f).send.rankStride = 0; }, "wrong rank stride");
  refuse([&](P, F f) { gather(f).receive = {Region::Window, 1, 0, 0}; }, "does not gather in place");
  refuse([&](P, F f) { gather(f).receive.offset = 4; }, "does not fit");
  refuse([&](P, F f) { scatter(f).receive = arena(232); }, "does not fit");
  refuse([&](P, F f) { scatter(f).exchange = 0; }, "is made twice");
  refuse([](P p, F) { p.exchanges[1].window = 0; }, "uses a window that another exchange uses");
  refuse([](P p, F) { p.exchanges[1].window = 9; }, "has no window");
  refuse([](P p, F) { p.exchanges[0].outer = 2; }, "run phantom-pack-exchanges");
  refuse([](P p, F) { p.windows[0].bytes = 63; }, "does not fit");

  refuse([&](P, F f) { kernel(f).shape.blocks = 0; }, "a launch of 0 blocks of 128 threads");
  refuse([&](P, F f) { kernel(f).shape.threads = 1025; }, "at most 1024 threads");
  refuse([&](P, F f) { kernel(f).kernel = 1; }, "kernel 1 does not exist");
  refuse([&](P, F f) { kernel(f).arguments.pop_back(); }, "takes 2 buffers, and gets 1");
  refuse([&](P, F f) { kernel(f).arguments[1] = arena(200); }, "does not fit");
  refuse([&](P p,
             F f) { p.constants = {std::vector<uint8_t>(64)}, kernel(f).arguments[1] = {Region::Constant}; },
         "writes a constant");
  refuse([](P p, F) { p.kernelArguments.clear(); }, "the arguments of 0");

  refuse([&](P, F f) { gemm(f).epilogue = Epilogue::Sigmoid; }, "no GEMM of a GPU has the epilogue sigmoid");
  refuse([&](P, F f) { gemm(f).aux.reset(); }, "needs an aux buffer");
  refuse([&](P, F f) { gemm(f).epilogue = Epilogue::Relu; }, "has no aux buffer");
  refuse([&](P, F f) { gemm(f).auxRow = 4; }, "a multiple of 8");
  refuse([&](P, F f) { gemm(f).epilogue = Epilogue::ReluAux; }, "a multiple of 128");
  refuse([&](P, F f) { gemm(f).aux = arena(200); }, "does not fit");
  refuse([&](P, F f) { gemm(f).biasGradient = arena(0); }, "needs a gradient epilogue");
  refuse([&](P, F f) { gemm(f).epilogue = Epilogue::GeluTanhGradient, gemm(f).biasGradient = arena(248); },
         "does not fit");
}

/// Gathers and all-to-alls only move data.
TEST(GpuProgram, ElementsOfExchanges) {
  for (ElementType element : {ElementType::I8, ElementType::BF16}) {
    Program program = gatherProgram();
    program.exchanges[0].element = element;
    auto &gather = std::get<CollectiveCommand>(program.functions[0].commands[3]);
    gather.element = element;
    gather.send.rankStride = 8 * byteWidth(element);
    EXPECT_SUCCESS(verifyProgram(program));
    program.exchanges[1].element = element;
    std::get<CollectiveCommand>(program.functions[0].commands[10]).element = element;
    EXPECT_TRUE(contains(message(verifyProgram(program)), "f32 or f64 is needed"));
  }
}

TEST(GpuProgram, AllToAllsAreVerified) {
  auto permuted = [](ElementType element) {
    Program program = gatherProgram();
    program.exchanges[1].kind = ExchangeKind::AllToAll;
    program.exchanges[1].element = element;
    auto &permute = std::get<CollectiveCommand>(program.functions[0].commands[10]);
    permute.element = element;
    permute.receive = arena(192);
    return program;
  };
  auto permute = [](Program &program) -> CollectiveCommand & {
    return std::get<CollectiveCommand>(program.functions[0].commands[10]);
  };
  auto refuse = [&](auto change, const std::string &part) {
    Program program = permuted(ElementType::F32);
    change(program);
    EXPECT_TRUE(contains(message(verifyProgram(program)), part)) << part;
  };
  for (ElementType element : {ElementType::F32, ElementType::I8, ElementType::BF16})
    EXPECT_SUCCESS(verifyProgram(permuted(element)));
  refuse([&](Program &p) { permute(p).receive = arena(196); }, "a buffer of 64 bytes");
  refuse([&](Program &p) { p.windows[1].bytes = 60; }, "a buffer of 64 bytes");
  refuse([&](Program &p) { permute(p).send = {Region::Window, 0, 0, 0}; }, "does not send from its window");
  refuse([&](Program &p) { permute(p).send = {Region::Window, 1, 0, 4}, p.windows[1].bytes = 128; },
         "wrong rank stride");
  refuse([&](Program &p) { permute(p).receive = {Region::Window, 1, 64, 0}, p.windows[1].bytes = 128; },
         "receives in the window that it sends from");
}

TEST(GpuProgram, CpusHaveNoStreams) {
  auto refuse = [](auto change, const std::string &part) {
    Program program = gatherProgram();
    program.device = DeviceKind::Cpu;
    program.functions[0].commands = {change(program.functions[0].commands)};
    EXPECT_TRUE(contains(message(verifyProgram(program)), part)) << part;
  };
  using Commands = std::vector<Command> &;
  refuse([](Commands c) { return c[1]; }, "a command for a GPU");
  refuse([](Commands c) { return c[2]; }, "a command for a GPU");
  refuse([](Commands c) { return c[3]; }, "a command for a GPU");
  refuse([](Commands c) { return c[7]; }, "only GPUs know");
  refuse([](Commands c) { return std::get<KernelCommand>(c[5]).stream = kExchange, c[5]; }, "only GPUs have");
}

} // namespace
