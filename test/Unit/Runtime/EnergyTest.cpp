//===- EnergyTest.cpp - Tests of energy counters --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/EnergyMeter.h"
#include "llvm/Support/FileSystem.h"

#include <sys/fsuid.h>
#include <unistd.h>

using namespace phantom::rt;
using namespace phantom::rt::test;

//===----------------------------------------------------------------------===//
// RAPL, in a tree of files like the kernel's
//===----------------------------------------------------------------------===//

namespace {

constexpr uint64_t range = 262143328850;

class RaplTest : public ::testing::Test {
protected:
  void zone(const std::string &folder, const std::string &name, uint64_t microjoules) {
    ASSERT_FALSE(llvm::sys::fs::create_directories(tree.file(folder)));
    tree.write(folder + "/name", name + "\n");
    tree.write(folder + "/max_energy_range_uj", std::to_string(range) + "\n");
    count(folder, microjoules);
  }
  void count(const std::string &folder, uint64_t microjoules) {
    tree.write(folder + "/energy_uj", std::to_string(microjoules) + "\n");
  }
  std::unique_ptr<EnergySource> open() {
    return createRapl(tree.file("."), [this] { return seconds; });
  }
  TemporaryFolder tree;
  double seconds = 100;
};

} // namespace

TEST_F(RaplTest, AddsPackagesOnly) {
  zone("intel-rapl:0", "package-0", 1'000'000);
  zone("intel-rapl:0:0", "core", 500'000);
  zone("intel-rapl:0:1", "dram", 300'000);
  zone("intel-rapl:1", "package-1", 7'000'000);
  zone("intel-rapl:2", "psys", 9'000'000);
  zone("intel-rapl-mmio:0", "package-0", 1'000'000);
  auto source = open();
  EXPECT_EQ(source->name(), "rapl");
  const double first = *source->read().joules;
  for (const char *part : {"intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:2", "intel-rapl-mmio:0"})
    count(part, 77'000'000);
  EXPECT_EQ(*source->read().joules, first);
  count("intel-rapl:0", 3'000'000);
  count("intel-rapl:1", 7'500'000);
  EXPECT_NEAR(*source->read().joules - first, 2.5, 1e-9);
}

TEST_F(RaplTest, GoesOnWhereTheCounterStartsAgain) {
  zone("intel-rapl:0", "package-0", range - 30'000'000);
  auto source = open();
  const double first = *source->read().joules;
  for (int wraps = 1; wraps <= 3; ++wraps) {
    seconds += 1;
    count("intel-rapl:0", 20'000'000);
    EXPECT_NEAR(*source->read().joules - first, (wraps - 1) * (range * 1e-6) + 50, 1e-6);
    // A whole range takes its time.
    seconds += 1000;
    count("intel-rapl:0", range - 30'000'000);
    EXPECT_NEAR(*source->read().joules - first, wraps * (range * 1e-6), 1e-3);
  }
}

TEST_F(RaplTest, AResetIsNotTakenForAWrap) {
  zone("intel-rapl:0", "package-0", 100'000'000'000);
  auto source = open();
  EXPECT_TRUE(source->read().joules);
  seconds += 1;
  count("intel-rapl:0", 5);
  const EnergyReading reading = source->read();
  EXPECT_FALSE(reading.joules);
  EXPECT_TRUE(
      contains(reading.reason, "intel-rapl:0/energy_uj' went from 100000000000 to 5: the counter was reset"));
  // It stays so: what is missing is not known.
  seconds += 1000;
  count("intel-rapl:0", 1'000'005);
  EXPECT_FALSE(source->read().joules);
}

TEST_F(RaplTest, SaysWhatIsMissing) {
  auto reason = [&] { return open()->read().reason; };
  EXPECT_TRUE(contains(reason(), "has no CPU package; virtual machines have none"));
  EXPECT_TRUE(contains(createRapl(tree.file("absent"))->read().reason, "absent' has no CPU package"));
  zone("intel-rapl:0", "psys", 1);
  EXPECT_TRUE(contains(reason(), "has no CPU package"));
  zone("intel-rapl:0", "package-0", 1);
  EXPECT_EQ(reason(), "");
  tree.write("intel-rapl:0/energy_uj", "many\n");
  EXPECT_TRUE(contains(reason(), "energy_uj' holds no number"));
  ASSERT_EQ(::unlink(tree.file("intel-rapl:0/max_energy_range_uj").c_str()), 0);
  EXPECT_TRUE(contains(reason(), "cannot read"));
  EXPECT_TRUE(contains(reason(), "max_energy_range_uj"));
}

TEST_F(RaplTest, SaysThatItMayNotRead) {
  zone("intel-rapl:0", "package-0", 1);
  ASSERT_FALSE(
      llvm::sys::fs::setPermissions(tree.file("."), llvm::sys::fs::all_read | llvm::sys::fs::all_exe));
  ASSERT_FALSE(
      llvm::sys::fs::setPermissions(tree.file("intel-rapl:0/energy_uj"), llvm::sys::fs::owner_write));
  // Root may read everything, so this thread's files are for a while those of somebody else.
  const bool isRoot = ::geteuid() == 0;
  if (isRoot)
    ::setfsuid(65534);
  const std::string reason = open()->read().reason;
  if (isRoot)
    ::setfsuid(0);
  ASSERT_FALSE(llvm::sys::fs::setPermissions(tree.file("."), llvm::sys::fs::owner_all));
  EXPECT_TRUE(contains(reason, "energy_uj': Permission denied; an administrator can allow it"));
}

TEST_F(RaplTest, IsTheDefaultWhereItCanBeRead) {
  EnergyOptions options;
  options.powercapFolder = tree.file(".");
  EXPECT_EQ(chooseEnergy(options, nullptr)->name(), "none");
  EXPECT_TRUE(contains(chooseEnergy(options, nullptr)->read().reason, "RAPL: "));
  EXPECT_EQ(chooseEnergy(options, createNoEnergy("a GPU"))->read().reason, "a GPU");
  zone("intel-rapl:0", "package-0", 1);
  EXPECT_EQ(chooseEnergy(options, nullptr)->name(), "rapl");
  options.kind = EnergyKind::None;
  EXPECT_EQ(chooseEnergy(options, nullptr)->name(), "none");
  options.kind = EnergyKind::Nvml;
  EXPECT_TRUE(contains(chooseEnergy(options, nullptr)->read().reason, "no GPU"));
}

//===----------------------------------------------------------------------===//
// A file that another program appends to
//===----------------------------------------------------------------------===//

TEST(ExternalEnergy, ReadsTheLastWholeLine) {
  TemporaryFolder folder;
  auto source = createExternalEnergy(folder.file("meter"));
  auto joules = [&](const std::string &content) {
    folder.write("meter", content);
    EnergyReading reading = source->read();
    EXPECT_EQ(reading.reason, "");
    return reading.joules.value_or(-1);
  };
  EXPECT_EQ(joules("12.5\n"), 12.5);
  EXPECT_EQ(joules("12.5\n17\n"), 17);
  EXPECT_EQ(joules("12.5\n17\n99"), 17); // the last line is still being written
  EXPECT_EQ(joules("{\"time\": 3, \"joules\": 20.25}\r\n"), 20.25);
  EXPECT_EQ(joules(std::string(100000, '#') + "\n{\"joules\": 5}\n{\"jou"), 5);
  EXPECT_EQ(joules("0\n"), 0);
}

TEST(ExternalEnergy, RefusesWhatIsNoNumberOfJoules) {
  TemporaryFolder folder;
  auto source = createExternalEnergy(folder.file("meter"));
  EXPECT_TRUE(contains(source->read().reason, "meter': cannot be read: No such file"));
  auto refuse = [&](const std::string &content, const std::string &part) {
    folder.write("meter", content);
    EnergyReading reading = source->read();
    EXPECT_FALSE(reading.joules) << content;
    EXPECT_TRUE(contains(reading.reason, part));
    EXPECT_TRUE(contains(reading.reason, "meter"));
  };
  refuse("", "no whole line");
  refuse("12.5", "no whole line");
  for (const char *line :
       {"watts 12", "-1", "nan", "1e999", "[1]", "{\"watts\": 3}", "{\"joules\": \"3\"}", "12.5 J", "\"12\""})
    refuse("1\n" + std::string(line) + "\n", "the last line, '" + std::string(line) + "', is no number");
  refuse("1\n\n", "the last line, ''");
  // The end of a long number is another number.
  refuse("1" + std::string(5000, '2') + "\n", "too long");
}

//===----------------------------------------------------------------------===//
// The meter
//===----------------------------------------------------------------------===//

namespace {

/// Says what the test has set.
struct FakeEnergy final : EnergySource {
  EnergyReading reading{0, ""};
  llvm::StringRef name() const override { return "fake"; }
  EnergyReading read() override { return reading; }
};

class EnergyMeterTest : public ::testing::Test {
protected:
  EnergyReading lap(double joules, EnergyMeter::Activity activity = EnergyMeter::Steps, double duration = 1) {
    source.reading = {joules, ""};
    seconds += duration;
    return meter.lap(activity);
  }
  EnergyReading failing(EnergyMeter::Activity activity = EnergyMeter::Steps) {
    source.reading = {std::nullopt, "no answer"};
    return meter.lap(activity);
  }
  FakeEnergy source;
  double seconds = 50;
  EnergyMeter meter{source, [this] { return seconds; }};
};

} // namespace

TEST_F(EnergyMeterTest, KeepsStepsAndEvaluationsApart) {
  EXPECT_EQ(*lap(3).joules, 3);
  EXPECT_EQ(*lap(5).joules, 2);
  EXPECT_EQ(*lap(15, EnergyMeter::Evaluation).joules, 10);
  EXPECT_EQ(*lap(16).joules, 1);
  EXPECT_EQ(*meter.total(EnergyMeter::Steps).joules, 6);
  EXPECT_EQ(*meter.total(EnergyMeter::Evaluation).joules, 10);
}

TEST_F(EnergyMeterTest, NothingDoneIsNoEnergy) {
  EXPECT_EQ(*meter.total(EnergyMeter::Steps).joules, 0);
  lap(3);
  EXPECT_EQ(*meter.total(EnergyMeter::Evaluation).joules, 0);
}

TEST_F(EnergyMeterTest, ACoarseCounterHasATotalOnly) {
  EXPECT_FALSE(lap(0).joules);
  EXPECT_TRUE(contains(meter.total(EnergyMeter::Steps).reason, "has not changed"));
  EXPECT_FALSE(lap(0).joules);
  // This is the energy of three steps, not of one.
  EnergyReading third = lap(30);
  EXPECT_FALSE(third.joules);
  EXPECT_TRUE(contains(third.reason, "too coarse"));
  EXPECT_EQ(*lap(40).joules, 10);
  EXPECT_EQ(*meter.total(EnergyMeter::Steps).joules, 40);
}

TEST_F(EnergyMeterTest, ACounterThatFallsIsBroken) {
  lap(3);
  EnergyReading fallen = lap(2);
  EXPECT_FALSE(fallen.joules);
  EXPECT_TRUE(contains(fallen.reason, "fell from"));
  EXPECT_FALSE(lap(9).joules);
  EXPECT_TRUE(contains(meter.total(EnergyMeter::Steps).reason, "fell from"));
}

TEST_F(EnergyMeterTest, ACounterThatStandsStillIsBroken) {
  lap(3);
  EXPECT_FALSE(lap(3, EnergyMeter::Steps, 6).joules);
  EXPECT_EQ(*meter.total(EnergyMeter::Steps).joules, 3); // it may still go on
  EXPECT_TRUE(contains(lap(3, EnergyMeter::Steps, 6).reason, "not changed for more than 10"));
  EXPECT_FALSE(lap(9).joules);
  EXPECT_TRUE(contains(meter.total(EnergyMeter::Steps).reason, "not changed for more than 10"));
}

TEST_F(EnergyMeterTest, AFailedReadingLosesOneLapAndNotTheTotal) {
  lap(3);
  EXPECT_EQ(failing().reason, "no answer");
  EXPECT_EQ(meter.total(EnergyMeter::Steps).reason, "no answer");
  // This lap and the one before it together.
  EXPECT_EQ(lap(9).reason, "no answer");
  EXPECT_EQ(*lap(10).joules, 1);
  EXPECT_EQ(*meter.total(EnergyMeter::Steps).joules, 10);
}

TEST_F(EnergyMeterTest, AFailedReadingBetweenActivitiesLosesBoth) {
  lap(3);
  failing();
  EXPECT_FALSE(lap(9, EnergyMeter::Evaluation).joules);
  EXPECT_EQ(*lap(10).joules, 1);
  EXPECT_EQ(meter.total(EnergyMeter::Steps).reason, "no answer");
  EXPECT_EQ(meter.total(EnergyMeter::Evaluation).reason, "no answer");
}

TEST(EnergyMeter, WithoutAFirstReadingTheTotalIsNotKnown) {
  FakeEnergy source;
  source.reading = {std::nullopt, "not there"};
  EnergyMeter meter(source);
  EXPECT_EQ(meter.total(EnergyMeter::Steps).reason, "not there");
  source.reading = {7.0, ""};
  EXPECT_EQ(meter.lap(EnergyMeter::Steps).reason, "not there");
  source.reading = {8.0, ""};
  EXPECT_EQ(*meter.lap(EnergyMeter::Evaluation).joules, 1);
  EXPECT_EQ(meter.total(EnergyMeter::Steps).reason, "not there");
  EXPECT_EQ(*meter.total(EnergyMeter::Evaluation).joules, 1);
}
