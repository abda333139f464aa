//===- TraceTest.cpp - Tests of Chrome traces -----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Trace.h"
#include "TestSupport.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace phantom::rt;
using namespace phantom::rt::test;

TEST(TraceTest, TimesAreMicrosecondsOnBothSidesOfTheOrigin) {
  Program program;
  program.ranks = 1;
  Function &function = program.functions.emplace_back();
  function.name = "step";
  const std::pair<int64_t, double> cases[] = {{-1234567, -1234.567}, {-1000, -1},        {-5, -0.005}, {0, 0},
                                              {42, 0.042},           {9000001, 9000.001}};
  const std::chrono::steady_clock::time_point origin{std::chrono::seconds(1)};
  std::vector<CommandTiming> timings;
  for (auto [nanoseconds, microseconds] : cases) {
    function.commands.push_back(EventRecordCommand());
    const auto begin = origin + std::chrono::nanoseconds(nanoseconds);
    timings.push_back({uint32_t(timings.size()), begin, begin + std::chrono::nanoseconds(70)});
  }
  const std::vector<std::vector<CommandTiming>> ofRanks{timings};

  TemporaryFolder folder;
  const std::string file = folder.file("trace.json");
  ASSERT_SUCCESS(writeTrace(file, program, {{function, ofRanks}}, origin));
  auto buffer = llvm::MemoryBuffer::getFile(file);
  ASSERT_TRUE(bool(buffer));
  const llvm::json::Value trace = value(llvm::json::parse((*buffer)->getBuffer()));
  std::vector<double> begins;
  for (const llvm::json::Value &event : *trace.getAsObject()->getArray("traceEvents"))
    if (event.getAsObject()->getObject("args")->get("command")) {
      begins.push_back(*event.getAsObject()->getNumber("ts"));
      EXPECT_EQ(event.getAsObject()->getNumber("dur"), 0.07);
    }
  ASSERT_EQ(begins.size(), std::size(cases));
  for (size_t i = 0; i < begins.size(); ++i)
    EXPECT_EQ(begins[i], cases[i].second);
}
