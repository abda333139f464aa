//===- GateTest.cpp - The gate on a small program, and with faults of its own -===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gate.h"
#include "HappensBefore.h"
#include "Mutants.h"

#include "TestProgram.h"
#include "TestSupport.h"
#include "phantom-rt/GpuSim.h"
#include "phantom-rt/VerifyProgram.h"
#include "llvm/ADT/STLExtras.h"

#include <gtest/gtest.h>

using namespace phantom;
using namespace phantom::mutation;
using namespace phantom::rt;

namespace {

rt::test::FakeGpu &kernelsOfTest() {
  static rt::test::FakeGpu gpu;
  return gpu;
}

/// A twin that leaves all work to the first thread.
template <size_t index> void runFirstThread(void *const *arguments, TwinThread *thread) {
  static const char *const names[] = {"add", "parts", "loss", "update"};
  if (thread->block == 0 && thread->thread == 0)
    kernelsOfTest().kernels.at(names[index]).run(arguments);
}

/// Events whose waits all order something: `Function::commands` of the test program.
struct TestedProgram {
  Program program;
  std::vector<char> image;
};

TestedProgram tested(int64_t ranks) {
  TestedProgram result{rt::test::testProgram(ranks), {}};
  rt::test::addTestKernels(kernelsOfTest());
  auto twin = [&](const char *name, TwinFunction run, std::vector<TwinArgument> arguments) {
    return KernelTwin{name, run, false, 0, std::move(arguments)};
  };
  const TwinArgument none;
  auto read = [](int64_t bytes) { return TwinArgument{true, false, bytes}; };
  auto write = [](int64_t bytes) { return TwinArgument{false, true, bytes}; };
  result.image =
      registerTwins({twin("add", runFirstThread<0>, {read(ranks * 128), read(8), write(128)}),
                     twin("parts", runFirstThread<1>, {read(32), write(ranks * 32)}),
                     twin("loss", runFirstThread<2>, {read(4), read(8), write(4)}),
                     twin("update", runFirstThread<3>, {{true, true, 256}, read(4), read(8), read(32)})});
  return result;
}

std::string textOf(const GateReport &report) {
  std::string text;
  for (const Survivor &survivor : report.survivors)
    text += survivor.text + (survivor.proven ? " (proven)" : " (NOT proven)") + "\n";
  return text;
}

TEST(HappensBefore, FollowsStreamsAndEvents) {
  KernelCommand compute, exchange;
  exchange.stream = StreamKind::Exchange;
  const HappensBefore order({compute, exchange, EventRecordCommand{0, StreamKind::Compute},
                             EventWaitCommand{0, StreamKind::Exchange}, exchange, compute,
                             EventRecordCommand{1, StreamKind::Exchange},
                             EventWaitCommand{1, StreamKind::Compute}});
  EXPECT_FALSE(order.ordered(0, 1));
  EXPECT_TRUE(order.ordered(0, 4));
  EXPECT_TRUE(order.ordered(1, 4));
  EXPECT_TRUE(order.ordered(0, 5));
  EXPECT_FALSE(order.ordered(4, 5));
  EXPECT_TRUE(order.afterBegin(0));
  EXPECT_FALSE(order.afterBegin(1));
  EXPECT_TRUE(order.afterBegin(4));
  EXPECT_TRUE(order.beforeEnd(4));
}

TEST(Mutants, OneOfEach) {
  const Program program = rt::test::testProgram(2);
  const std::vector<Mutant> mutants = mutantsOf(program, program.functions[0]);
  auto count = [&](const char *kind) {
    return llvm::count_if(mutants, [&](const Mutant &mutant) { return mutant.kind == kind; });
  };
  EXPECT_EQ(count("wait"), 5);
  EXPECT_EQ(count("stream"), 18); // all commands
  EXPECT_EQ(count("count"), 5);   // of three exchanges, one of a single element
  EXPECT_EQ(count("type"), 6);
  EXPECT_EQ(count("order"), 1); // only a gather has slots
  EXPECT_EQ(count("slot"), 6);
  for (const Mutant &mutant : mutants)
    EXPECT_NE(mutant.commands, program.functions[0].commands) << mutant.text;
}

TEST(Gate, EveryMutantOfTheTestProgramIsCaught) {
  TestedProgram it = tested(2);
  GateReport report = rt::test::value(runGate(it.program, "train_step", it.image, {}));
  EXPECT_TRUE(report.passed()) << textOf(report);
  EXPECT_EQ(report.kinds["wait"].byDouble, 5);
}

TEST(Gate, EveryMutantOfAnAllToAllIsCaught) {
  for (ElementType element : {ElementType::F32, ElementType::BF16, ElementType::I8}) {
    const Program program = rt::test::permuteProgram(2, element);
    GateReport report = rt::test::value(runGate(program, "infer", registerTwins({}), {}));
    EXPECT_TRUE(report.passed()) << textOf(report);
    EXPECT_EQ(report.kinds["wait"].byDouble, 2);
  }
}

TEST(Gate, FailsWhereItDoesNotLook) {
  TestedProgram it = tested(2);
  GateOptions options;
  options.blind = true;
  EXPECT_FALSE(rt::test::value(runGate(it.program, "train_step", it.image, options)).passed());
}

// An order that no data needs: leaving it out changes what is ordered, and no result.
TEST(Gate, FailsOnAWaitThatNothingNeeds) {
  TestedProgram it = tested(2);
  Function &function = it.program.functions[0];
  auto loss = function.commands.begin() + 11;
  function.commands.insert(loss, {EventRecordCommand{uint32_t(function.events), StreamKind::Exchange},
                                  EventWaitCommand{uint32_t(function.events), StreamKind::Compute}});
  ++function.events;
  GateReport report = rt::test::value(runGate(it.program, "train_step", it.image, {}));
  EXPECT_FALSE(report.passed()) << textOf(report);
}

// A program that is not clean is no measure for its mutants.
TEST(Gate, RefusesAProgramWithARace) {
  TestedProgram it = tested(2);
  std::vector<Command> &commands = it.program.functions[0].commands;
  commands.erase(commands.begin() + 5); // the wait for the first exchange
  llvm::Expected<GateReport> report = runGate(it.program, "train_step", it.image, {});
  ASSERT_FALSE(bool(report));
  EXPECT_NE(toString(report.takeError()).find("not clean"), std::string::npos);
}

} // namespace
