//===- RunLogTest.cpp - Tests of reading logs and of their totals ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunLog.h"
#include "RunSummary.h"
#include "TestSupport.h"
#include "Totals.h"

#include "phantom-rt/StepLog.h"

#include <cmath>

using namespace phantom::rt;
using namespace phantom::rt::report;
using namespace phantom::rt::test;

namespace {

RunLog read(const TemporaryFolder &folder, const std::string &text) {
  return value(readRunLog(folder.write("log.jsonl", text)));
}

std::string errorOf(const TemporaryFolder &folder, const std::string &text) {
  return message(readRunLog(folder.write("log.jsonl", text)));
}

constexpr double kInfinity = HUGE_VAL;

} // namespace

TEST(RunLog, ReadsWhatStepLogWrites) {
  TemporaryFolder folder;
  StepRecord record;
  record.step = 1;
  record.loss = 0.1;
  record.learningRate = 0.01;
  record.samplesPerSecond = 640;
  record.stepSeconds = 0.1;
  record.commBytes = 19968;
  record.energyReason = "no counter";
  record.modelEnergyJoules = 0.3;
  StepRecord second = record;
  second.step = 2;
  second.gradNorm = 2.5;
  second.commSeconds = 0.02;
  second.energyJoules = 7;
  {
    auto log = value(StepLog::open(folder.file("log.jsonl")));
    ASSERT_SUCCESS(log->write(record));
    ASSERT_SUCCESS(log->write(second));
  }
  RunLog log = value(readRunLog(folder.file("log.jsonl")));
  EXPECT_EQ(log.steps(), 2u);
  EXPECT_EQ(log.firstStep, 1);
  EXPECT_EQ(log.lastStep(), 2);
  EXPECT_FALSE(log.cutShort);
  EXPECT_EQ(log.of(Column::Loss)[1], 0.1);
  EXPECT_EQ(log.of(Column::LearningRate)[0], 0.01);
  EXPECT_EQ(log.of(Column::SamplesPerSecond)[0], 640);
  EXPECT_EQ(log.of(Column::StepSeconds)[1], 0.1);
  EXPECT_EQ(log.of(Column::CommBytes)[0], 19968);
  EXPECT_EQ(log.of(Column::ModelEnergy)[1], 0.3);
  EXPECT_TRUE(std::isnan(log.of(Column::GradNorm)[0]));
  EXPECT_EQ(log.of(Column::GradNorm)[1], 2.5);
  EXPECT_EQ(log.of(Column::CommSeconds)[1], 0.02);
  EXPECT_EQ(log.of(Column::Energy)[1], 7);
  EXPECT_EQ(log.whyMissing(Column::Energy), "no counter");
  EXPECT_EQ(log.whyMissing(Column::GradNorm), "the log has 'grad_norm' in 1 of 2 steps");
  EXPECT_EQ(log.whyMissing(Column::EvalLoss), "the log has no 'eval_loss'");
}

TEST(RunLog, LeavesOutALineThatWasNotWrittenWhole) {
  TemporaryFolder folder;
  RunLog cut = read(folder, "{\"step\":1,\"loss\":2}\n{\"step\":2,\"lo");
  EXPECT_TRUE(cut.cutShort);
  EXPECT_EQ(cut.steps(), 1u);
  RunLog unended = read(folder, "{\"step\":1,\"loss\":2}\r\n{\"step\":2,\"loss\":1,\"other\":[{}]}");
  EXPECT_FALSE(unended.cutShort);
  EXPECT_EQ(unended.steps(), 2u);
}

TEST(RunLog, RefusesBadLines) {
  TemporaryFolder folder;
  const std::string first = "{\"step\":3,\"loss\":2}\n";
  auto expect = [&](const std::string &text, const char *part) {
    const std::string error = errorOf(folder, text);
    EXPECT_TRUE(contains(error, "log.jsonl"));
    EXPECT_TRUE(contains(error, part));
  };
  expect("", "no step");
  expect("{\"st", "no step");
  expect(first + "x\n" + first, "line 2");
  expect(first + "\n", "line 2");
  expect("[1]\n", "not a JSON object");
  expect("{\"loss\":1}\n", "no 'step'");
  expect("{\"step\":0,\"loss\":1}\n", "counts from 1");
  expect("{\"step\":1.5,\"loss\":1}\n", "no 'step'");
  expect("{\"step\":1}\n", "no 'loss'");
  expect("{\"step\":1,\"loss\":null}\n", "no 'loss'");
  expect(first + "{\"step\":5,\"loss\":1}\n", "line 2: step 5 follows step 3");
  expect(first + first, "step 3 follows step 3");
  expect("{\"step\":1,\"loss\":\"1\"}\n", "'loss' is not a number");
  expect("{\"step\":1,\"loss\":1e301}\n", "'loss' is too large");
  expect("{\"step\":1,\"loss\":1e999}\n", "'loss' is too large");
  expect("{\"step\":1,\"loss\":nan}\n", "line 1");
  expect("{\"step\":1,\"loss\":1,\"comm_bytes\":-1}\n", "'comm_bytes' is negative");
  EXPECT_TRUE(contains(message(readRunLog(folder.file("absent.jsonl"))), "absent.jsonl"));
  EXPECT_TRUE(contains(message(readRunLog(folder.file("."))), "cannot read"));
}

TEST(RunLog, NamesRuns) {
  auto names = [](std::vector<NamedFile> logs) { return value(nameRuns(logs)); };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names({{"", "a/x.jsonl"}, {"mine", "a/y.jsonl"}}), (Names{"x", "mine"}));
  EXPECT_EQ(names({{"", "a/log.jsonl"}, {"", "b/log.jsonl"}}), (Names{"a/log", "b/log"}));
  EXPECT_EQ(names({{"", "log.jsonl"}, {"", "log.jsonl"}, {"", "log.jsonl"}}),
            (Names{"log", "log (2)", "log (3)"}));
  EXPECT_EQ(names({{"", "x.jsonl"}, {"x", "y.jsonl"}}), (Names{"x (2)", "x"}));
  EXPECT_TRUE(contains(message(nameRuns({{"x", "a"}, {"x", "b"}})), "two runs have the name 'x'"));
}

TEST(Totals, AreThoseOfTheSteps) {
  TemporaryFolder folder;
  RunLog log =
      read(folder, "{\"step\":1,\"loss\":4,\"step_seconds\":8,\"samples_per_second\":1,\"comm_bytes\":10,"
                   "\"comm_seconds\":2,\"model_energy_joules\":1,\"energy_joules\":5,\"eval_loss\":9}\n"
                   "{\"step\":2,\"loss\":1,\"step_seconds\":2,\"samples_per_second\":4,\"comm_bytes\":20,"
                   "\"comm_seconds\":1,\"model_energy_joules\":1,\"energy_joules\":5,\"eval_loss\":7}\n"
                   "{\"step\":3,\"loss\":2,\"step_seconds\":4,\"samples_per_second\":2,\"comm_bytes\":30,"
                   "\"comm_seconds\":0.5,\"model_energy_joules\":1,\"energy_joules\":null}\n"
                   "{\"step\":4,\"loss\":3,\"step_seconds\":2,\"samples_per_second\":4,\"comm_bytes\":40,"
                   "\"comm_seconds\":0.5,\"model_energy_joules\":1,\"energy_joules\":5,\"eval_loss\":8}\n");
  Totals totals = totalsOf(log);
  EXPECT_EQ(totals.firstLoss, 4);
  EXPECT_EQ(totals.finalLoss, 3);
  EXPECT_EQ(totals.bestLoss, 1);
  EXPECT_EQ(totals.bestStep, 2);
  EXPECT_EQ(totals.finalEvalLoss, 8);
  EXPECT_EQ(totals.bestEvalLoss, 7);
  EXPECT_FALSE(totals.finalEvalAccuracy);
  EXPECT_EQ(totals.seconds, 16);
  EXPECT_EQ(totals.medianStepSeconds, 2);
  EXPECT_EQ(totals.samplesPerSecond, 2);
  EXPECT_EQ(totals.bytes, 100);
  EXPECT_EQ(totals.bytesPerStep, 25);
  EXPECT_EQ(totals.modelJoules, 4);
  EXPECT_FALSE(totals.joules) << "one step has none";
  EXPECT_EQ(totals.commShare, 0.25);

  TargetCost cost = costOfTarget(log, 2);
  EXPECT_EQ(cost.step, 2);
  EXPECT_EQ(cost.seconds, 10);
  EXPECT_EQ(cost.bytes, 30);
  EXPECT_EQ(cost.modelJoules, 2);
  EXPECT_EQ(cost.joules, 10) << "it was measured up to there";
  EXPECT_EQ(costOfTarget(log, 4).step, 1);
  EXPECT_FALSE(costOfTarget(log, 0.9).step);
  log.firstStep = 11;
  EXPECT_EQ(costOfTarget(log, 2).step, 12);
  EXPECT_FALSE(costOfTarget(log, 2).seconds) << "the steps before are not in the log";
}

TEST(Totals, StayFinite) {
  TemporaryFolder folder;
  std::string text;
  for (int step = 1; step <= 1000; ++step)
    text += "{\"step\":" + std::to_string(step) +
            ",\"loss\":1e300,\"step_seconds\":1e300,\"samples_per_second\":1e300,\"comm_bytes\":1e300,"
            "\"comm_seconds\":1e300}\n";
  Totals totals = totalsOf(read(folder, text));
  for (Amount amount : {totals.seconds, totals.samplesPerSecond, totals.bytes, totals.commShare}) {
    ASSERT_TRUE(amount);
    EXPECT_LT(*amount, kInfinity);
  }
}

TEST(RunSummary, IsOfItsRun) {
  TemporaryFolder folder;
  RunLog log = read(folder, "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":0.5}\n");
  RunSummary summary = value(readRunSummary(
      folder.write("s.json",
                   "{\"strategy\":\"phantom\",\"ranks\":4,\"steps\":2,\"final_loss\":0.5,\"eval_loss\":1}"),
      log));
  EXPECT_EQ(summary.strategy, "phantom");
  EXPECT_EQ(summary.ranks, 4);
  EXPECT_EQ(summary.evalLoss, 1);
  EXPECT_FALSE(summary.parameters);
  auto expect = [&](const char *text, const char *part) {
    const std::string error = message(readRunSummary(folder.write("s.json", text), log));
    EXPECT_TRUE(contains(error, "s.json"));
    EXPECT_TRUE(contains(error, part));
  };
  expect("{", "not a summary");
  expect("[]", "not a JSON object");
  expect("{}", "no 'steps'");
  expect("{\"steps\":3,\"final_loss\":0.5}", "not of the same run");
  expect("{\"steps\":2,\"final_loss\":0.6}", "not of the same run");
  expect("{\"steps\":2,\"final_loss\":0.5,\"ranks\":1e999}", "'ranks' is too large");
  EXPECT_TRUE(contains(message(readRunSummary(folder.file("absent.json"), log)), "absent.json"));
}
