//===- ScheduleTest.cpp - Tests of schedules and modelled energy ----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Schedule.h"
#include "TestSupport.h"
#include "phantom-rt/MachineModel.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

TEST(Schedule, Shapes) {
  Schedule schedule{ScheduleKind::Constant, 2.0, 100, 0.1, 0.2};
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(9), 2.0);
  EXPECT_DOUBLE_EQ(schedule.at(99), 2.0);
  schedule.kind = ScheduleKind::Linear;
  EXPECT_DOUBLE_EQ(schedule.at(10), 2.0);
  EXPECT_DOUBLE_EQ(schedule.at(55), 1.0);
  EXPECT_GT(schedule.at(99), 0);
  schedule.kind = ScheduleKind::Cosine;
  EXPECT_DOUBLE_EQ(schedule.at(10), 2.0);
  EXPECT_NEAR(schedule.at(55), 1.0, 1e-12);
  EXPECT_LT(schedule.at(99), 0.01);
  schedule.kind = ScheduleKind::Wsd;
  EXPECT_DOUBLE_EQ(schedule.at(50), 2.0);
  EXPECT_DOUBLE_EQ(schedule.at(90), 1.0);
  EXPECT_DOUBLE_EQ(schedule.at(99), 0.1);
  EXPECT_TRUE(contains(message(parseSchedule("step")), "constant, linear, cosine or wsd"));
  schedule.warmupFraction = 2;
  EXPECT_TRUE(contains(message(schedule.verify()), "fractions"));
}

TEST(MachineModel, GenericIsTheShippedFile) {
  MachineModel file = value(MachineModel::read(PHANTOM_MACHINES_DIR "/generic.json")),
               built = MachineModel::generic();
  EXPECT_EQ(file.name, built.name);
  EXPECT_EQ(file.busyWatts, built.busyWatts);
  EXPECT_EQ(file.waitWatts, built.waitWatts);
  EXPECT_EQ(file.idleWatts, built.idleWatts);
  EXPECT_EQ(file.flopsPerSecond, built.flopsPerSecond);
  EXPECT_EQ(file.linkBytesPerSecond, built.linkBytesPerSecond);
  EXPECT_EQ(file.linkLatencySeconds, built.linkLatencySeconds);
}

TEST(MachineModel, EnergyFollowsTheFormula) {
  Program program;
  program.ranks = 4;
  Function function;
  function.name = "train_step";
  function.commands = {ExchangeStartCommand{0}, ExchangeWaitCommand{0}};
  program.functions = {function};
  MachineModel machine;
  machine.busyWatts = 100, machine.waitWatts = 10, machine.idleWatts = 4, machine.flopsPerSecond = 1000;
  machine.linkBytesPerSecond = 100, machine.linkLatencySeconds = 0.5;
  program.trainCosts.formulaFlops = 3000;
  program.trainCosts.modelCommBytes = 100;
  ModelledStep step = modelStep(machine, program);
  EXPECT_DOUBLE_EQ(step.computeSeconds, 3);
  EXPECT_DOUBLE_EQ(step.waitSeconds, 1.5); // one exchange, 100 bytes
  EXPECT_DOUBLE_EQ(step.joules, 4 * (100 * 3 + 10 * 1.5));
  EXPECT_DOUBLE_EQ(step.aboveIdleJoules, 4 * ((100 - 4) * 3 + (10 - 4) * 1.5));
  // On a GPU an exchange is one command.
  program.functions[0].commands = {CollectiveCommand{}, EventRecordCommand{}};
  EXPECT_DOUBLE_EQ(modelStep(machine, program).waitSeconds, 1.5);
}

TEST(MachineModel, RefusesBadFiles) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(message(MachineModel::read(folder.file("absent.json"))), "absent.json"));
  EXPECT_TRUE(contains(message(MachineModel::read(folder.write("m.json", "{"))), "m.json"));
  EXPECT_TRUE(
      contains(message(MachineModel::read(folder.write("m.json", "{\"busy_watts\": -1}"))), "busy_watts"));
  const std::string idle = R"({"busy_watts": 9, "wait_watts": 5, "idle_watts": 6, "flops_per_second": 1,
                               "link_bytes_per_second": 1, "link_latency_seconds": 0})";
  EXPECT_TRUE(
      contains(message(MachineModel::read(folder.write("m.json", idle))), "'idle_watts' must not be above"));
}
