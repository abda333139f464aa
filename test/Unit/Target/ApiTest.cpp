//===- ApiTest.cpp - The interface to C -------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ApiFromC.h"
#include "TestModels.h"
#include "phantom-rt.h"
#include "phantom-rt/CompiledFolder.h"
#include "phantom-rt/Npy.h"
#include "phantom-rt/Session.h"

#include "gtest/gtest.h"

#include <cmath>
#include <cstring>
#include <thread>

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int64_t batch = 4, width = 16;
constexpr size_t batchBytes = batch * width * sizeof(float);

class ApiTest : public testing::Test {
protected:
  static void SetUpTestSuite() { // once: compiling takes most of the time
    compiled = new CompiledProgram(compileMlp(Strategy::Phantom));
  }
  static void TearDownTestSuite() { delete compiled; }

  void SetUp() override {
    path = folder.file("compiled");
    ASSERT_SUCCESS(writeCompiledFolder(path, *compiled, {"model.mlir", {}}));
  }

  void TearDown() override { phantom_session_close(session); }

  void open(const phantom_options *options = nullptr) {
    phantom_session_close(session);
    session = nullptr;
    ASSERT_EQ(phantom_session_open(path.c_str(), options, &session), 0) << phantom_last_error();
  }

  std::vector<float> infer(const std::vector<float> &x) {
    std::vector<float> y(x.size());
    phantom_input input{"x", x.data(), x.size() * sizeof(float)};
    phantom_output output{"y", y.data(), y.size() * sizeof(float)};
    EXPECT_EQ(phantom_infer(session, &input, 1, int64_t(x.size()) / width, &output, 1), 0)
        << phantom_last_error();
    return y;
  }

  /// Expects that the last call failed, with that text.
  static void expectError(int status, const std::string &part) {
    EXPECT_EQ(status, 1);
    EXPECT_TRUE(contains(phantom_last_error(), part));
  }

  static CompiledProgram *compiled;
  TemporaryFolder folder;
  std::string path;
  phantom_session *session = nullptr;
};

CompiledProgram *ApiTest::compiled = nullptr;

TEST_F(ApiTest, DescribesTheModel) {
  open();
  EXPECT_EQ(phantom_ranks(session), 2);
  EXPECT_EQ(phantom_batch(session), batch);
  ASSERT_EQ(phantom_input_count(session), 1u);
  ASSERT_EQ(phantom_output_count(session), 1u);
  auto expectMatrix = [](const phantom_tensor &tensor, const char *name) {
    EXPECT_STREQ(tensor.name, name);
    EXPECT_EQ(tensor.type, PHANTOM_F32);
    ASSERT_EQ(tensor.rank, 2u);
    EXPECT_EQ(tensor.shape[0], batch);
    EXPECT_EQ(tensor.shape[1], width);
    EXPECT_EQ(tensor.bytes, batchBytes);
  };
  phantom_tensor tensor;
  ASSERT_EQ(phantom_input_at(session, 0, &tensor), 0);
  expectMatrix(tensor, "x");
  ASSERT_EQ(phantom_output_at(session, 0, &tensor), 0);
  expectMatrix(tensor, "y");
  ASSERT_EQ(phantom_targets(session, &tensor), 0);
  expectMatrix(tensor, "target");
  expectError(phantom_input_at(session, 1, &tensor), "there is no number 1");

  std::vector<std::string> names;
  for (size_t i = 0; i < phantom_parameter_count(session); ++i) {
    ASSERT_EQ(phantom_parameter_at(session, i, &tensor), 0);
    names.push_back(tensor.name);
    if (names.back() == "w1.decompressor") {
      ASSERT_EQ(tensor.rank, 4u); // [destination, source, ghosts, neurons]
      EXPECT_EQ(tensor.shape[0] * tensor.shape[1] * tensor.shape[2] * tensor.shape[3], 2 * 2 * 2 * 8);
    }
  }
  EXPECT_TRUE(llvm::is_contained(names, "w1.decompressor"));
}

TEST_F(ApiTest, InfersAnyNumberOfRowsAsTheSessionDoesFromFiles) {
  open();
  std::vector<float> x = randomFloats(11 * width, 1), y = infer(x);
  auto direct = value(Session::create(compiled->executable, {}));
  std::string inputs = npy(folder.file("x.npy"), {ElementType::F32, {11, width}}, x.data());
  ASSERT_SUCCESS(direct->infer(DataFiles{{{"", inputs}}}, {{"", folder.file("y.npy")}}));
  FileTensor expected = value(readNpy(folder.file("y.npy")));
  ASSERT_EQ(expected.shape, (std::vector<int64_t>{11, width}));
  EXPECT_EQ(std::memcmp(y.data(), expected.bytes, y.size() * sizeof(float)), 0);
}

TEST_F(ApiTest, ArraysMayLieAnywhereAndGoAfterTheCall) {
  open();
  // Some batches and a part of one, from arrays that live one after another.
  const std::vector<float> first = randomFloats(11 * width, 1), second = randomFloats(11 * width, 2);
  const std::vector<float> expected = infer(first), others = infer(std::vector<float>(second));
  EXPECT_NE(expected, others);
  EXPECT_EQ(infer(std::vector<float>(first)), expected);

  const size_t bytes = first.size() * sizeof(float);
  std::vector<char> odd(bytes + 1), result(bytes + 1);
  std::memcpy(odd.data() + 1, first.data(), bytes);
  phantom_input input{"x", odd.data() + 1, bytes};
  phantom_output output{"y", result.data() + 1, bytes};
  ASSERT_EQ(phantom_infer(session, &input, 1, 11, &output, 1), 0) << phantom_last_error();
  EXPECT_EQ(std::memcmp(result.data() + 1, expected.data(), bytes), 0);

  std::vector<float> values = first;
  input.data = values.data();
  output.data = values.data();
  ASSERT_EQ(phantom_infer(session, &input, 1, 11, &output, 1), 0) << phantom_last_error();
  EXPECT_EQ(values, expected) << "outputs over inputs";
}

TEST_F(ApiTest, TrainsInCAsTheSessionDoes) {
  std::vector<float> x = randomFloats(batch * width, 1), t = randomFloats(batch * width, 2), y(x.size());
  std::vector<double> losses(5);
  const char *failure = train_from_c(path.c_str(), x.data(), t.data(), 5, losses.data(), y.data());
  ASSERT_EQ(failure, nullptr) << failure;
  EXPECT_LT(losses[4], losses[0]);

  auto direct = value(Session::create(compiled->executable, {}));
  TensorType type{ElementType::F32, {batch, width}};
  TrainOptions options;
  options.data = {{{"", npy(folder.file("x.npy"), type, x.data())}},
                  {npy(folder.file("t.npy"), type, t.data())}};
  options.steps = 5;
  options.shuffle = options.progress = false;
  TrainReport report = value(direct->train(options));
  EXPECT_EQ(report.firstLoss, losses[0]);
  EXPECT_EQ(report.finalLoss, losses[4]);
}

TEST_F(ApiTest, ParametersGoBothWays) {
  open();
  std::vector<float> x = randomFloats(batch * width, 1), before = infer(x);
  phantom_tensor tensor;
  ASSERT_EQ(phantom_parameter_at(session, 0, &tensor), 0);
  std::vector<float> saved(tensor.bytes / sizeof(float)), zeros(saved.size()), read(saved.size());
  ASSERT_EQ(phantom_get_parameter(session, tensor.name, saved.data(), tensor.bytes), 0);
  ASSERT_EQ(phantom_set_parameter(session, tensor.name, zeros.data(), tensor.bytes), 0);
  ASSERT_EQ(phantom_get_parameter(session, tensor.name, read.data(), tensor.bytes), 0);
  EXPECT_EQ(read, zeros);
  EXPECT_NE(infer(x), before);
  std::string file = folder.file("p.safetensors");
  ASSERT_EQ(phantom_save_parameters(session, file.c_str()), 0);
  std::vector<float> zeroed = infer(x);
  ASSERT_EQ(phantom_set_parameter(session, tensor.name, saved.data(), tensor.bytes), 0);
  EXPECT_EQ(infer(x), before);
  ASSERT_EQ(phantom_load_parameters(session, file.c_str()), 0);
  EXPECT_EQ(infer(x), zeroed);

  phantom_options options;
  phantom_options_init(&options);
  options.parameters = file.c_str();
  open(&options);
  EXPECT_EQ(infer(x), zeroed);
}

TEST_F(ApiTest, TheSeedIsThatOfRandomStarts) {
  std::vector<float> x = randomFloats(batch * width, 1);
  open();
  std::vector<float> first = infer(x);
  phantom_options options;
  phantom_options_init(&options);
  options.seed = 7;
  open(&options);
  EXPECT_NE(infer(x), first);
}

TEST_F(ApiTest, BadCallsAreErrors) {
  expectError(phantom_session_open(nullptr, nullptr, &session), "folder is a null pointer");
  expectError(phantom_session_open(path.c_str(), nullptr, nullptr), "session is a null pointer");
  expectError(phantom_session_open(folder.file("absent").c_str(), nullptr, &session), "no compiled model");
  phantom_options options;
  phantom_options_init(&options);
  options.timeout_seconds = std::nan("");
  expectError(phantom_session_open(path.c_str(), &options, &session), "timeout_seconds must be positive");
  EXPECT_EQ(phantom_batch(nullptr), 0);
  open();

  std::vector<float> x(batch * width), y(batch * width);
  const phantom_input input{"x", x.data(), batchBytes}, other{"z", x.data(), batchBytes},
      small{"x", x.data(), batchBytes - 1};
  const phantom_output output{"y", y.data(), batchBytes};
  expectError(phantom_infer(nullptr, &input, 1, batch, &output, 1), "session is a null pointer");
  expectError(phantom_infer(session, nullptr, 1, batch, &output, 1), "inputs is a null pointer");
  expectError(phantom_infer(session, &input, 0, batch, &output, 1),
              "no data is given for the model's input 'x'");
  expectError(phantom_infer(session, &other, 1, batch, &output, 1),
              "no data is given for the model's input 'x'");
  expectError(phantom_infer(session, &small, 1, batch, &output, 1),
              "has 255 bytes, but 4 rows of 16 values of f32");
  expectError(phantom_infer(session, &input, 1, batch + 1, &output, 1), "5 rows");
  expectError(phantom_infer(session, &input, 1, 0, &output, 1), "has 256 bytes, but 0 rows");
  expectError(phantom_infer(session, &input, 1, -1, &output, 1), "-1 rows");
  expectError(phantom_infer(session, &input, 1, INT64_MAX, &output, 1), "rows");
  const phantom_output wrong{"w", y.data(), batchBytes}, both[] = {output, output};
  expectError(phantom_infer(session, &input, 1, batch, &wrong, 1), "no output 'w'; its outputs are 'y'");
  expectError(phantom_infer(session, &input, 1, batch, both, 2), "asked for twice");

  expectError(phantom_train_step(session, &input, 1, nullptr, batchBytes, 0.1, nullptr), "targets is a null");
  expectError(phantom_train_step(session, &input, 1, y.data(), 8, 0.1, nullptr),
              "the data of the targets has 8 bytes");
  expectError(phantom_train_step(session, &input, 1, y.data(), batchBytes, -1, nullptr), "learning rate");
  expectError(phantom_get_parameter(session, "none", x.data(), 4), "no parameter 'none'");
  expectError(phantom_set_parameter(session, "w0", x.data(), 4), "the parameter 'w0' has");
  expectError(phantom_load_parameters(session, folder.file("absent").c_str()), "cannot read");
  EXPECT_EQ(phantom_infer(session, &input, 1, batch, &output, 1), 0) << "an error left the session unusable";
}

TEST_F(ApiTest, SessionsRunInDifferentThreads) {
  std::vector<float> x = randomFloats(batch * width, 1), t = randomFloats(batch * width, 2);
  std::vector<std::vector<double>> losses(3, std::vector<double>(20));
  std::vector<std::thread> threads;
  for (std::vector<double> &mine : losses)
    threads.emplace_back([&] {
      std::vector<float> y(x.size());
      const char *failure = train_from_c(path.c_str(), x.data(), t.data(), 20, mine.data(), y.data());
      EXPECT_EQ(failure, nullptr) << failure;
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(losses[1], losses[0]);
  EXPECT_EQ(losses[2], losses[0]);
}

} // namespace
