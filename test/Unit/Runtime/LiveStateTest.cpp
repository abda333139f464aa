//===- LiveStateTest.cpp - Tests of what SIGUSR1 shows --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Regression.h"

#include <csignal>
#include <mutex>
#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// Lets a rank hang before one of its exchanges, until a state that has a certain text was shown.
class Hang final : public FaultInjector {
public:
  Hang(int64_t rank, int exchange, std::string text)
      : hanging(rank), exchange(exchange), awaited(std::move(text)) {}

  void beforeStart(int64_t rank, const BoundExchange &) override {
    if (rank != hanging || ++started != exchange)
      return;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < end && shown().find(awaited) == std::string::npos) {
      ::raise(SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  void show(llvm::StringRef text) {
    std::lock_guard<std::mutex> lock(mutex);
    last = text.str();
  }
  std::string shown() {
    std::lock_guard<std::mutex> lock(mutex);
    return last;
  }

private:
  const int64_t hanging;
  const int exchange;
  int started = 0;
  const std::string awaited;
  std::mutex mutex;
  std::string last;
};

class LiveStateTest : public RegressionTest {
protected:
  std::string stateAt(Hang &hang, TrainOptions run) {
    Executable executable = regression(2);
    SessionOptions sessionOptions;
    sessionOptions.faults = &hang;
    auto session = value(Session::create(executable, sessionOptions));
    run.showState = [&](llvm::StringRef text) { hang.show(text); };
    EXPECT_EQ(message(session->train(run)), "");
    return hang.shown();
  }
};

} // namespace

TEST_F(LiveStateTest, NamesWhoIsWaitedFor) {
  Hang hang(1, 3,
            "rank 0: in 'train_step': waits for the all-reduce 'outputs'; ranks that have not come: 1\n");
  const std::string state = stateAt(hang, options(data(40), 5));
  EXPECT_TRUE(contains(state, "phantom-run: step 3 of 5, since "));
  EXPECT_TRUE(contains(state, "; loss of the last step "));
  EXPECT_TRUE(contains(
      state, "  rank 0: in 'train_step': waits for the all-reduce 'outputs'; ranks that have not come: 1\n"));
  EXPECT_TRUE(contains(state, "  rank 1: in 'train_step': exchange start outputs\n"));
}

TEST_F(LiveStateTest, WorksInTheFirstStepAndForRankZero) {
  Hang hang(0, 1,
            "rank 1: in 'train_step': waits for the all-reduce 'outputs'; ranks that have not come: 0\n");
  const std::string state = stateAt(hang, options(data(40), 1));
  EXPECT_TRUE(contains(state, "step 1 of 1, since "));
  EXPECT_TRUE(contains(state, "no step is done yet"));
  EXPECT_TRUE(contains(state, "  rank 0: in 'train_step': exchange start outputs\n"));
}

TEST_F(LiveStateTest, NamesAnEvaluation) {
  TrainOptions run = options(data(40), 4);
  run.heldOut = data(B, "held_out_");
  run.evalEvery = 2;
  // Two steps, and then the only batch that is evaluated.
  Hang hang(1, 3, "rank 0: in 'evaluate': waits for");
  const std::string state = stateAt(hang, run);
  EXPECT_TRUE(contains(state, "evaluation after step 2, since "));
  EXPECT_TRUE(contains(
      state, "  rank 0: in 'evaluate': waits for the all-reduce 'outputs'; ranks that have not come: 1\n"));
}

TEST_F(LiveStateTest, DoesNotDisturbTheRun) {
  const DataFiles files = data(40);
  Executable executable = regression(2);
  auto session = value(Session::create(executable, {}));
  ASSERT_EQ(message(session->train(options(files, 50))), "");
  const std::vector<double> undisturbed = losses();
  // A signal in each exchange of both ranks.
  struct Signals final : FaultInjector {
    void beforeStart(int64_t, const BoundExchange &) override { ::raise(SIGUSR1); }
  } signals;
  SessionOptions sessionOptions;
  sessionOptions.faults = &signals;
  session = value(Session::create(executable, sessionOptions));
  TrainOptions run = options(files, 50);
  std::atomic<int> shown{0};
  run.showState = [&](llvm::StringRef text) { shown += text.contains("rank 1: "); };
  ASSERT_EQ(message(session->train(run)), "");
  EXPECT_EQ(losses(), undisturbed);
  EXPECT_GT(shown.load(), 0);
}
