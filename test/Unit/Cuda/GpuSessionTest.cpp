//===- GpuSessionTest.cpp - Tests of training runs on GPUs ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestProgram.h"
#include "TestSupport.h"
#include "phantom-rt/GpuRuntime.h"
#include "phantom-rt/SafeTensors.h"
#include "phantom-rt/Session.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/LineIterator.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

class GpuSessionTest : public testing::Test {
protected:
  void SetUp() override { addTestKernels(gpu); }

  Session session(int64_t ranks) {
    gpu.devices = int(ranks);
    program = testProgram(ranks);
    return Session(value(GpuRuntime::create(program, image, gpu.libraries, {})), /*seed=*/0);
  }

  /// Options of a run on one batch.
  TrainOptions options(int64_t steps) {
    TrainOptions result;
    result.data.inputs = {{"x", npy(folder.file("x.npy"), {ElementType::F32, {4, 8}}, x.data())}};
    result.steps = steps;
    result.learningRate = 0.5;
    result.logFile = folder.file("log.jsonl");
    result.progress = false;
    result.shuffle = false;
    return result;
  }

  std::vector<llvm::json::Object> log() {
    auto buffer = llvm::MemoryBuffer::getFile(folder.file("log.jsonl"));
    std::vector<llvm::json::Object> lines;
    for (llvm::line_iterator line(**buffer); !line.is_at_eof(); ++line)
      lines.push_back(*value(llvm::json::parse(*line)).getAsObject());
    return lines;
  }

  std::vector<std::vector<float>> weights(Session &session) {
    std::vector<std::vector<float>> all;
    EXPECT_SUCCESS(session.runtime().fetchParameters());
    for (int64_t rank = 0; rank < program.ranks; ++rank) {
      const auto *begin = reinterpret_cast<const float *>(session.runtime().parameters().address(rank, 0));
      all.emplace_back(begin, begin + 64);
    }
    return all;
  }

  FakeGpu gpu;
  Program program;
  TemporaryFolder folder;
  const std::vector<char> image = {'\0'};
  const std::vector<float> x = randomFloats(32, 1);
};

} // namespace

TEST_F(GpuSessionTest, TrainsLogsAndSaves) {
  const int64_t ranks = 2, steps = 4;
  Session run = session(ranks);
  const std::vector<ExpectedStep> expected = expectedSteps(ranks, steps, x, weights(run));
  const TrainReport report = value(run.train(options(steps)));
  EXPECT_EQ(report.steps, steps);
  EXPECT_EQ(report.commBytesPerStep, 128 + 32 + 4);
  const std::vector<llvm::json::Object> lines = log();
  ASSERT_EQ(lines.size(), size_t(steps));
  for (int64_t i = 0; i < steps; ++i) {
    EXPECT_NEAR(*lines[i].getNumber("loss"), expected[i].loss, 1e-5 * std::abs(expected[i].loss));
    EXPECT_EQ(lines[i].getInteger("comm_bytes"), 128 + 32 + 4);
    EXPECT_EQ(lines[i].get("comm_seconds")->kind(), llvm::json::Value::Null);
    EXPECT_EQ(lines[i].get("comm_skew_seconds")->kind(), llvm::json::Value::Null);
    // The n-th reading of a GPU's counter gives n quarters of a joule; each step reads both GPUs.
    EXPECT_NEAR(*lines[i].getNumber("energy_joules"), 1, 1e-12);
    EXPECT_FALSE(lines[i].get("energy_reason"));
  }
  EXPECT_NEAR(*report.energyJoules, double(steps), 1e-12);

  ASSERT_SUCCESS(run.saveParameters(folder.file("w.safetensors")));
  FileTensor saved = value(value(SafeTensorsFile::open(folder.file("w.safetensors"))).tensor("w"));
  ASSERT_EQ(saved.elements(), ranks * 64);
  std::vector<float> numbers(ranks * 64);
  std::memcpy(numbers.data(), saved.bytes, numbers.size() * sizeof(float));
  for (int64_t rank = 0; rank < ranks; ++rank)
    expectClose(numbers.data() + rank * 64, expected.back().w[rank], "w of rank " + std::to_string(rank));
}

TEST_F(GpuSessionTest, WithoutACounterEnergyIsNullWithAReason) {
  gpu.fail("nvmlDeviceGetHandleByPciBusId_v2", 1, 6);
  Session run = session(1);
  const TrainReport report = value(run.train(options(2)));
  EXPECT_FALSE(report.energyJoules);
  EXPECT_TRUE(contains(report.energyReason, "NVML: "));
  EXPECT_EQ(log()[1].get("energy_joules")->kind(), llvm::json::Value::Null);
  EXPECT_TRUE(contains(log()[1].getString("energy_reason")->str(), "NVML: "));
}

TEST_F(GpuSessionTest, TracesCollectivesAndEvents) {
  gpu.gemmTimes = {1e6};
  Session run = session(2);
  TrainOptions traced = options(1);
  traced.traceFile = folder.file("trace.json");
  ASSERT_EQ(message(run.train(traced)), "");
  auto buffer = llvm::MemoryBuffer::getFile(traced.traceFile);
  const llvm::json::Value trace = value(llvm::json::parse((*buffer)->getBuffer()));
  const llvm::json::Array &events = *trace.getAsObject()->getArray("traceEvents");
  // Of each rank: the names of a process and two threads, one run, its commands.
  ASSERT_EQ(events.size(), 2 * (3 + 1 + program.functions[0].commands.size()));
  std::vector<std::string> names;
  for (const llvm::json::Value &event : events) {
    names.push_back(event.getAsObject()->getString("name")->str());
    EXPECT_GE(event.getAsObject()->getNumber("ts").value_or(0), 0)
        << "before the run began: " << names.back();
  }
  const std::vector<std::string> first(names.begin(), names.begin() + 10);
  EXPECT_EQ(first,
            (std::vector<std::string>{"process_name", "thread_name", "thread_name", "train_step",
                                      "gemm 4x8x8 test.mlir:gemm", "record event 0", "wait event 0",
                                      "all-gather test.mlir:ghosts", "record event 1", "wait event 1"}));
  auto threadOf = [&](size_t event) { return events[event].getAsObject()->getInteger("tid"); };
  EXPECT_EQ(threadOf(4), 0) << "the stream of GEMMs";
  EXPECT_EQ(threadOf(6), 1) << "the exchange's stream waits";
  EXPECT_EQ(threadOf(7), 1);
  EXPECT_EQ(threadOf(9), 0) << "the other one waits for it";
}
