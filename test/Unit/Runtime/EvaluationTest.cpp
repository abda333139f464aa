//===- EvaluationTest.cpp - Tests of evaluations while training -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Regression.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <limits>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

class EvaluationTest : public RegressionTest {
protected:
  /// Options of a run of 10 steps that evaluates after each fourth one.
  TrainOptions evaluated() {
    TrainOptions result = options(data(40), 10);
    result.heldOut = data(13, "held_out_");
    result.evalEvery = 4;
    return result;
  }
  TrainReport train(const TrainOptions &options) {
    session = value(Session::create(executable, {}));
    return value(session->train(options));
  }
  std::string parameters() {
    EXPECT_SUCCESS(session->saveParameters(folder.file("w.safetensors")));
    return (*llvm::MemoryBuffer::getFile(folder.file("w.safetensors")))->getBuffer().str();
  }
  Executable executable = regression(2);
  std::unique_ptr<Session> session;
};

/// Adds a joule at each reading.
void countReadings(const std::string &file, int reading) {
  std::error_code code;
  llvm::raw_fd_ostream out(file, code, llvm::sys::fs::OF_Append);
  out << reading << "\n";
}

} // namespace

TEST_F(EvaluationTest, LogsTheLossAfterEveryNSteps) {
  const TrainOptions whole = evaluated();
  const TrainReport report = train(whole);
  EXPECT_EQ(report.evaluations, 2);
  EXPECT_GT(report.evalSeconds, 0);
  EXPECT_FALSE(report.evaluation) << "the last steps came after the last evaluation";
  const std::vector<llvm::json::Object> lines = log();
  ASSERT_EQ(lines.size(), 10u);
  for (size_t i = 0; i < 10; ++i)
    EXPECT_EQ(bool(lines[i].get("eval_loss")), i == 3 || i == 7);
  // It is the loss of what the step has left.
  for (int64_t steps : {4, 8}) {
    const double loss = *lines[steps - 1].getNumber("eval_loss");
    TrainOptions part = whole;
    part.steps = steps;
    const TrainReport partly = train(part);
    ASSERT_TRUE(partly.evaluation);
    EXPECT_EQ(partly.evaluation->loss, loss);
    EXPECT_EQ(partly.evaluation->rows, 13);
    EXPECT_EQ(value(session->evaluate(whole.heldOut)).loss, loss);
  }
}

TEST_F(EvaluationTest, DoesNotChangeTheTraining) {
  TrainOptions run = evaluated();
  run.steps = 20;
  train(run);
  const std::vector<double> withEvaluations = losses();
  const std::string trained = parameters();
  run.evalEvery = 0;
  train(run);
  EXPECT_EQ(losses(), withEvaluations);
  EXPECT_EQ(parameters(), trained);
}

TEST_F(EvaluationTest, StopsAtTheTarget) {
  TrainOptions run = evaluated();
  run.steps = 1000;
  run.evalEvery = 3;
  run.targetEvalLoss = 0.5;
  const TrainReport report = train(run);
  EXPECT_EQ(report.stopReason, StopReason::TargetEvalLoss);
  ASSERT_TRUE(report.target);
  EXPECT_EQ(report.target->steps, report.steps);
  EXPECT_EQ(report.steps % 3, 0);
  EXPECT_EQ(report.target->commBytes, report.steps * B * 4);
  EXPECT_GT(report.target->seconds, 0);
  EXPECT_LE(report.target->seconds, report.seconds);
  EXPECT_EQ(report.target->modelEnergyJoules, report.modelEnergyJoules);
  EXPECT_LE(report.evaluation->loss, 0.5);
  const std::vector<llvm::json::Object> lines = log();
  ASSERT_EQ(int64_t(lines.size()), report.steps);
  for (size_t i = 0; i + 1 < lines.size(); ++i)
    EXPECT_GT(lines[i].getNumber("eval_loss").value_or(1), 0.5);
  EXPECT_LE(*lines.back().getNumber("eval_loss"), 0.5);
}

TEST_F(EvaluationTest, TheSummaryHasTheTargetOrNull) {
  TrainOptions run = evaluated();
  run.targetEvalLoss = 0;
  const TrainReport missed = train(run);
  EXPECT_EQ(missed.stopReason, StopReason::Completed);
  EXPECT_FALSE(missed.target);
  auto summaryOf = [&](const TrainReport &report) {
    EXPECT_SUCCESS(writeSummary(folder.file("s.json"), executable.program, report, report.evaluation));
    auto text = llvm::MemoryBuffer::getFile(folder.file("s.json"));
    return std::move(*value(llvm::json::parse((*text)->getBuffer())).getAsObject());
  };
  llvm::json::Object summary = summaryOf(missed);
  EXPECT_EQ(summary.getNumber("target_eval_loss"), 0);
  for (const char *what : {"steps", "seconds", "comm_bytes", "energy_joules", "model_energy_joules"})
    EXPECT_EQ(summary.get(std::string(what) + "_to_target_eval_loss")->kind(), llvm::json::Value::Null)
        << what;
  run.targetEvalLoss = 1000;
  summary = summaryOf(train(run));
  EXPECT_EQ(summary.getInteger("steps_to_target_eval_loss"), 4);
  EXPECT_EQ(summary.getInteger("comm_bytes_to_target_eval_loss"), 4 * B * 4);
  EXPECT_EQ(summary.getString("stop_reason"), "target-eval-loss");
  EXPECT_EQ(summary.getInteger("evaluations"), 1);
}

TEST_F(EvaluationTest, HeldOutDataIsCheckedBeforeTheFirstStep) {
  TrainOptions run = evaluated();
  run.heldOut.targets = run.data.targets;
  session = value(Session::create(executable, {}));
  EXPECT_TRUE(contains(message(session->train(run)), "has 40 rows, but"));
  EXPECT_FALSE(llvm::sys::fs::exists(run.logFile));
}

TEST_F(EvaluationTest, ALossThatIsNotFiniteStops) {
  TrainOptions run = evaluated();
  std::vector<float> x(B * N, std::numeric_limits<float>::quiet_NaN());
  run.heldOut = data(B, "bad_");
  npy(run.heldOut.inputs[0].path, {ElementType::F32, {B, N}}, x.data());
  session = value(Session::create(executable, {}));
  const std::string text = message(session->train(run));
  EXPECT_TRUE(contains(text, "step 4, on the held-out data: the loss on "));
  EXPECT_TRUE(contains(text, "bad_"));
  EXPECT_TRUE(contains(text, " is nan"));
}

TEST_F(EvaluationTest, EnergyIsThatOfSteps) {
  // The exchanges of rank 0 move the meter: one per step, and one per batch that is evaluated.
  struct Meter final : FaultInjector {
    std::string file;
    int joules = 0;
    void beforeStart(int64_t rank, const BoundExchange &) override {
      if (rank == 0)
        countReadings(file, ++joules);
    }
  } counter;
  counter.file = folder.file("meter");
  countReadings(counter.file, 0);
  TrainOptions run = evaluated();
  run.energy.kind = EnergyKind::External;
  run.energy.file = counter.file;
  run.targetEvalLoss = 0;
  SessionOptions sessionOptions;
  sessionOptions.faults = &counter;
  session = value(Session::create(executable, sessionOptions));
  const TrainReport report = value(session->train(run));
  EXPECT_EQ(report.energySource, "external");
  EXPECT_EQ(report.energyJoules, 10);
  EXPECT_EQ(report.evalEnergyJoules, 2 * 2); // two batches, twice
  for (const llvm::json::Object &line : log())
    EXPECT_EQ(line.getNumber("energy_joules"), 1);
}
