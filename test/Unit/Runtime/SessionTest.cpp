//===- SessionTest.cpp - Tests of training, evaluation and inference ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Session.h"
#include "Regression.h"
#include "phantom-rt/Npy.h"
#include "phantom-rt/SafeTensors.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <atomic>
#include <cmath>
#include <csignal>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

class SessionTest : public RegressionTest {
protected:
  std::string trainMessage(const TrainOptions &options, int64_t ranks = 1) {
    Executable executable = regression(ranks);
    auto session = value(Session::create(executable, {}));
    return message(session->train(options));
  }
};

} // namespace

TEST_F(SessionTest, TrainsAlikeOnAnyNumberOfRanks) {
  const DataFiles files = data(40);
  std::vector<std::vector<double>> runs;
  for (int64_t p : {1, 2, 4, 8}) {
    Executable executable = regression(p);
    auto session = value(Session::create(executable, {}));
    TrainReport report = value(session->train(options(files, 60)));
    runs.push_back(losses());
    EXPECT_EQ(report.steps, 60);
    EXPECT_EQ(runs.back().size(), 60u);
    EXPECT_LT(report.finalLoss, 0.1 * report.firstLoss);
    EXPECT_EQ(report.finalLoss, runs.back().back());
    EXPECT_EQ(report.commBytesPerStep, (p - 1) * B * 4);
    for (size_t i = 0; i < 60; ++i)
      EXPECT_NEAR(runs.back()[i], runs[0][i], 1e-5 * runs[0][0]);
    EvaluationReport evaluation = value(session->evaluate(files));
    EXPECT_EQ(evaluation.rows, 40);
    EXPECT_LT(evaluation.loss, report.firstLoss);
    EXPECT_FALSE(evaluation.accuracy);
  }
}

TEST_F(SessionTest, LogHasItsFields) {
  Executable executable = regression(2);
  auto session = value(Session::create(executable, {}));
  ASSERT_EQ(message(session->train(options(data(16), 3))), "");
  std::vector<llvm::json::Object> lines = log();
  ASSERT_EQ(lines.size(), 3u);
  for (int64_t i = 0; i < 3; ++i) {
    const llvm::json::Object &line = lines[i];
    EXPECT_EQ(line.size(), 13u);
    EXPECT_EQ(line.getInteger("step"), i + 1);
    EXPECT_EQ(line.getNumber("learning_rate"), 0.1);
    EXPECT_GT(*line.getNumber("grad_norm"), 0);
    EXPECT_GT(*line.getNumber("step_seconds"), 0);
    EXPECT_NEAR(*line.getNumber("samples_per_second") * *line.getNumber("step_seconds"), B, 1e-6);
    EXPECT_EQ(line.getInteger("comm_bytes"), B * 4);
    EXPECT_EQ(line.getNumber("model_comm_bytes"), B * 4);
    EXPECT_GE(*line.getNumber("comm_seconds"), *line.getNumber("comm_skew_seconds"));
    EXPECT_GE(*line.getNumber("comm_skew_seconds"), 0);
    EXPECT_EQ(line.get("energy_joules")->kind(), llvm::json::Value::Null);
    EXPECT_FALSE(line.getString("energy_reason")->empty());
    EXPECT_GT(*line.getNumber("model_energy_joules"), 0);
  }
}

TEST_F(SessionTest, GradientNormIsThatOfTheDumpedGradient) {
  for (int64_t p : {1, 4}) {
    Executable executable = regression(p);
    auto session = value(Session::create(executable, {}));
    const DataFiles files = data(B);
    const double loss = value(session->dumpGradients(files, folder.file("g.safetensors")));
    FileTensor gradient = value(value(SafeTensorsFile::open(folder.file("g.safetensors"))).tensor("w"));
    EXPECT_EQ(gradient.shape, std::vector<int64_t>{N});
    double sum = 0;
    for (int64_t i = 0; i < N; ++i) {
      float number;
      std::memcpy(&number, gradient.bytes + i * 4, 4);
      sum += double(number) * number;
    }
    TrainOptions once = options(files, 1);
    once.shuffle = false;
    ASSERT_EQ(message(session->train(once)), "");
    EXPECT_NEAR(*log()[0].getNumber("grad_norm"), std::sqrt(sum), 1e-6);
    EXPECT_EQ(losses()[0], loss);
  }
}

TEST_F(SessionTest, SameSeedSameBits) {
  auto run = [&](uint64_t seed) {
    Executable executable = regression(4);
    SessionOptions sessionOptions;
    sessionOptions.seed = seed;
    auto session = value(Session::create(executable, sessionOptions));
    EXPECT_EQ(message(session->train(options(data(30), 20))), "");
    return losses();
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

TEST_F(SessionTest, EpochsDropTheLastPartialBatch) {
  TrainOptions epochs = options(data(2 * B + 3), 0);
  epochs.epochs = 3;
  ASSERT_EQ(trainMessage(epochs), "");
  EXPECT_EQ(losses().size(), 6u);
}

TEST_F(SessionTest, StopsAtTheTargetLoss) {
  TrainOptions target = options(data(B), 10000);
  target.targetLoss = 0.5;
  Executable executable = regression(2);
  auto session = value(Session::create(executable, {}));
  TrainReport report = value(session->train(target));
  EXPECT_EQ(report.stopReason, StopReason::TargetLoss);
  EXPECT_LT(report.steps, 10000);
  EXPECT_LE(report.finalLoss, 0.5);
}

TEST_F(SessionTest, SignalsStopAtAStepBoundary) {
  // The hook of the fifth exchange presses Ctrl-C.
  struct Interrupt final : FaultInjector {
    std::atomic<int> calls{0};
    void beforeStart(int64_t rank, const BoundExchange &) override {
      if (rank == 0 && ++calls == 5)
        ::raise(SIGINT);
    }
  } interrupt;
  Executable executable = regression(2);
  SessionOptions sessionOptions;
  sessionOptions.faults = &interrupt;
  auto session = value(Session::create(executable, sessionOptions));
  TrainReport report = value(session->train(options(data(B), 100000)));
  EXPECT_EQ(report.stopReason, StopReason::Interrupted);
  EXPECT_EQ(report.steps, 5);
  EXPECT_EQ(losses().size(), 5u);
  EXPECT_SUCCESS(session->saveParameters(folder.file("p.safetensors")));
}

TEST_F(SessionTest, ALossThatIsNotFiniteStopsAndNamesTheStep) {
  TrainOptions wild = options(data(B), 1000);
  wild.learningRate = 1e30;
  std::string text = trainMessage(wild, 2);
  EXPECT_TRUE(contains(text, "step "));
  EXPECT_TRUE(contains(text, "the loss is "));
  EXPECT_LT(losses().size(), 5u);
}

TEST_F(SessionTest, SavedParametersContinueTheRun) {
  const DataFiles files = data(B);
  Executable executable = regression(2);
  auto session = value(Session::create(executable, {}));
  ASSERT_EQ(message(session->train(options(files, 10))), "");
  ASSERT_SUCCESS(session->saveParameters(folder.file("p.safetensors")));
  const double loss = value(session->evaluate(files)).loss;
  SessionOptions loaded;
  loaded.parameterFile = folder.file("p.safetensors");
  EXPECT_EQ(value(value(Session::create(executable, loaded))->evaluate(files)).loss, loss);
  loaded.parameterFile = folder.file("absent.safetensors");
  EXPECT_TRUE(contains(message(Session::create(executable, loaded)), "absent.safetensors"));
}

TEST_F(SessionTest, InferWritesOneRowPerInputRow) {
  const DataFiles files = data(2 * B + 3);
  Executable executable = regression(4);
  auto session = value(Session::create(executable, {}));
  const DataFiles inputs{files.inputs};
  ASSERT_SUCCESS(session->infer(inputs, {{"", folder.file("y.npy")}}));
  FileTensor y = value(readNpy(folder.file("y.npy")));
  EXPECT_EQ(y.shape, std::vector<int64_t>{2 * B + 3});
  // The mean squared difference from the targets is what evaluate says.
  HostTensor outputs = value(convert(y, ElementType::F64, "y"));
  HostTensor targets = value(convert(value(readNpy(files.targets[0])), ElementType::F64, "t"));
  double sum = 0;
  for (int64_t i = 0; i < 2 * B + 3; ++i)
    sum += std::pow(outputs.data<double>()[i] - targets.data<double>()[i], 2);
  EXPECT_NEAR(value(session->evaluate(files)).loss, sum / (2 * B + 3), 1e-5);
  EXPECT_TRUE(contains(message(session->infer(inputs, {{"", folder.file("nowhere/y.npy")}})), "nowhere"));
}

TEST_F(SessionTest, WritesTraceAndSummary) {
  TrainOptions traced = options(data(B), 5);
  traced.traceFile = folder.file("trace.json");
  traced.traceSteps = 2;
  Executable executable = regression(2);
  auto session = value(Session::create(executable, {}));
  TrainReport report = value(session->train(traced));
  auto trace = llvm::MemoryBuffer::getFile(traced.traceFile);
  ASSERT_TRUE(bool(trace));
  llvm::json::Value parsed = value(llvm::json::parse((*trace)->getBuffer()));
  std::map<std::string, int> categories, phases;
  for (const llvm::json::Value &event : *parsed.getAsObject()->getArray("traceEvents")) {
    ++phases[event.getAsObject()->getString("ph")->str()];
    ++categories[event.getAsObject()->getString("cat").value_or("").str()];
  }
  // Two steps of six commands on two ranks, each in an event of its own; names of two processes and threads.
  EXPECT_EQ(phases, (std::map<std::string, int>{{"X", 28}, {"M", 4}}));
  EXPECT_EQ(categories["run"], 4);
  EXPECT_EQ(categories["wait"], 4);
  ASSERT_SUCCESS(
      writeSummary(folder.file("s.json"), executable.program, report, EvaluationReport{9, 0.25, 0.5}));
  auto text = llvm::MemoryBuffer::getFile(folder.file("s.json"));
  llvm::json::Value summary = value(llvm::json::parse((*text)->getBuffer()));
  EXPECT_EQ(summary.getAsObject()->getInteger("parameters"), N);
  EXPECT_EQ(summary.getAsObject()->getNumber("eval_accuracy"), 0.5);

  const llvm::json::Object &memory = *summary.getAsObject()->getObject("predicted_memory_bytes");
  const int64_t batch = B * N * 4 + B * 4;
  EXPECT_EQ(memory.getInteger("parameters"), N * 4);
  EXPECT_EQ(memory.getInteger("optimizer"), 0);
  EXPECT_EQ(memory.getInteger("activations"), 2 * 256);
  EXPECT_EQ(memory.getInteger("gemm_workspace"), 0);
  EXPECT_EQ(memory.getInteger("windows"), 2 * B * 4);
  EXPECT_EQ(memory.getInteger("constants"), 8);
  EXPECT_EQ(memory.getInteger("batch"), batch);
  EXPECT_EQ(memory.getInteger("total"), N * 4 + 2 * 256 + 2 * B * 4 + 8 + batch);
  EXPECT_GT(summary.getAsObject()->getInteger("peak_memory_bytes"), memory.getInteger("total"));
}

//===----------------------------------------------------------------------===//
// Bad data
//===----------------------------------------------------------------------===//

TEST_F(SessionTest, RefusesDataThatDoesNotFit) {
  const DataFiles good = data(16);
  const std::vector<float> floats(16 * N);
  const std::vector<int64_t> integers(16 * N);
  auto refuse = [&](DataFiles files, const std::string &part) {
    EXPECT_TRUE(contains(trainMessage(options(files, 2)), part));
  };
  auto with = [&](const std::string &name, std::vector<int64_t> shape) {
    return npy(folder.file(name), {ElementType::F32, shape}, floats.data());
  };
  refuse({{{"", with("narrow.npy", {16, 7})}}, good.targets},
         "7 values per row, but the input 'x' of the model needs 8");
  refuse({{{"", with("flat.npy", {16})}}, good.targets}, "flat.npy");
  refuse({{{"", with("few.npy", {7, 8})}}, {with("few_t.npy", {7})}}, "7 rows, too few for one batch of 8");
  refuse({{{"", with("none.npy", {0, 8})}}, {with("none_t.npy", {0})}}, "no rows");
  refuse({good.inputs, {with("short_t.npy", {15})}}, "15 rows, but");
  refuse({good.inputs}, "no targets");
  refuse({{}, good.targets}, "no data is given for the model's input 'x'");
  refuse({{{"z", good.inputs[0].path}}, good.targets}, "'x'");
  refuse({{good.inputs[0], {"z", good.inputs[0].path}}, good.targets}, "is not used");
  refuse({{{"", folder.file("absent.npy")}}, good.targets}, "absent.npy");
  EXPECT_TRUE(contains(trainMessage(options(good, 0)), "steps"));
  TrainOptions unwritable = options(good, 2);
  unwritable.logFile = folder.file("nowhere/log.jsonl");
  EXPECT_TRUE(contains(trainMessage(unwritable), "nowhere"));
  // Integers may be inputs of a float model.
  EXPECT_EQ(
      trainMessage(options(
          {{{"x", npy(folder.file("i.npy"), {ElementType::I64, {16, N}}, integers.data())}}, good.targets},
          2)),
      "");
}

//===----------------------------------------------------------------------===//
// Classification
//===----------------------------------------------------------------------===//

namespace {

constexpr int64_t classBatch = 4, classes = 3;

/// logits, targets, valid -> loss
void crossEntropy(void *const *arguments) {
  const int64_t valid = integer(arguments, 2);
  double sum = 0;
  for (int64_t i = 0; i < valid; ++i) {
    const float *row = floats(arguments, 0) + i * classes;
    double total = 0;
    for (int64_t j = 0; j < classes; ++j)
      total += std::exp(double(row[j]));
    sum += std::log(total) - row[static_cast<const int64_t *>(arguments[1])[i]];
  }
  *floats(arguments, 3) = float(sum / double(valid));
}

/// A model that returns its input as logits.
Executable classifier() {
  Executable executable;
  Program &program = executable.program;
  program.batch = classBatch;
  program.loss = "cross-entropy";
  program.kernels = {"loss"};
  executable.kernels = {crossEntropy};
  const TensorType logits{ElementType::F32, {classBatch, classes}};
  program.functions = {
      {"evaluate",
       {{Role::Input, "x", logits},
        {Role::Target, "t", {ElementType::I64, {classBatch}}},
        {Role::ValidCount, "", {ElementType::I64, {}}}},
       {{Role::Loss, "", {ElementType::F32, {}}, arena(0)}, {Role::Output, "x", logits, argument(0)}},
       {KernelCommand{0, {argument(0), argument(1), argument(2), arena(0)}, ""}},
       64}};
  return executable;
}

} // namespace

TEST_F(SessionTest, EvaluationMasksTheLastBatchAndCountsAccuracy) {
  const int64_t rows = 10;
  const std::vector<float> x = randomFloats(rows * classes, 31);
  std::vector<int32_t> t(rows);
  int64_t correct = 0;
  double loss = 0;
  for (int64_t i = 0; i < rows; ++i) {
    t[i] = int32_t(i % classes);
    const float *row = &x[i * classes];
    correct += std::max_element(row, row + classes) - row == t[i];
    double total = 0;
    for (int64_t j = 0; j < classes; ++j)
      total += std::exp(double(row[j]));
    loss += (std::log(total) - row[t[i]]) / rows;
  }
  DataFiles files{{{"x", npy(folder.file("x.npy"), {ElementType::F32, {rows, classes}}, x.data())}},
                  {npy(folder.file("t.npy"), {ElementType::I32, {rows}}, t.data())}};
  Executable executable = classifier();
  auto session = value(Session::create(executable, {}));
  EvaluationReport report = value(session->evaluate(files));
  EXPECT_EQ(report.rows, rows);
  EXPECT_NEAR(report.loss, loss, 1e-6);
  EXPECT_EQ(report.accuracy, double(correct) / rows);

  t[7] = 3;
  files.targets = {npy(folder.file("t.npy"), {ElementType::I32, {rows}}, t.data())};
  std::string text = message(session->evaluate(files));
  EXPECT_TRUE(contains(text, "row 7 has the target 3"));
  EXPECT_TRUE(contains(text, "3 classes, 0 to 2"));
  t[7] = -1;
  files.targets = {npy(folder.file("t.npy"), {ElementType::I32, {rows}}, t.data())};
  EXPECT_TRUE(contains(message(session->evaluate(files)), "row 7 has the target -1"));
  files.targets = {npy(folder.file("t.npy"), {ElementType::F32, {rows}}, x.data())};
  EXPECT_TRUE(contains(message(session->evaluate(files)), "integer dtype"));
}
