//===- DrawingTest.cpp - Tests of numbers, axes, lines and text -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axis.h"
#include "Chart.h"
#include "Html.h"
#include "TestSupport.h"
#include "Thin.h"

#include <algorithm>
#include <cmath>

using namespace phantom::rt::report;
using namespace phantom::rt::test;

namespace {

std::vector<std::string> labels(const Axis &axis) {
  std::vector<std::string> result;
  for (const Tick &tick : axis.ticks)
    if (!tick.label.empty())
      result.push_back(tick.label);
  return result;
}

using Labels = std::vector<std::string>;
constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

} // namespace

TEST(Units, FormatNumbers) {
  EXPECT_EQ(formatNumber(0), "0");
  EXPECT_EQ(formatNumber(2.2959928), "2.296");
  EXPECT_EQ(formatNumber(-0.25), "−0.25");
  EXPECT_EQ(formatNumber(9.99996), "10");
  EXPECT_EQ(formatNumber(0.00012346), "0.0001235");
  EXPECT_EQ(formatNumber(123456), "123456");
  EXPECT_EQ(formatNumber(0.000099999), "0.0001");
  EXPECT_EQ(formatNumber(1.519e-6), "1.519×10⁻⁶");
  EXPECT_EQ(formatNumber(1e7), "10⁷");
  EXPECT_EQ(formatNumber(1e300), "10³⁰⁰");
}

TEST(Units, FormatValues) {
  EXPECT_EQ(formatValue(0, Unit::Seconds), "0 s");
  EXPECT_EQ(formatValue(444e-6, Unit::Seconds), "444 µs");
  EXPECT_EQ(formatValue(90, Unit::Seconds), "90 s");
  EXPECT_EQ(formatValue(1101, Unit::Seconds), "18.35 min");
  EXPECT_EQ(formatValue(36000, Unit::Seconds), "10 h");
  EXPECT_EQ(formatValue(19968, Unit::Bytes), "19.97 kB");
  EXPECT_EQ(formatValue(12, Unit::Bytes), "12 B");
  EXPECT_EQ(formatValue(0.01248, Unit::Joules), "12.48 mJ");
  EXPECT_EQ(formatValue(100000, Unit::Count), "100,000");
  EXPECT_EQ(formatValue(999, Unit::Count), "999");
  EXPECT_EQ(formatValue(0.9667, Unit::Share), "96.67 %");
  EXPECT_EQ(formatValue(0, Unit::Share), "0 %");
  EXPECT_EQ(formatValue(20908.4, Unit::PerSecond), "20,908/s");
  EXPECT_EQ(formatValue(1.5, Unit::PerSecond), "1.5/s");
}

TEST(Axis, HasRoundTicks) {
  EXPECT_EQ(labels(makeAxis(1, 600, Unit::Count, AxisKind::Exact)),
            (Labels{"0", "100", "200", "300", "400", "500", "600"}));
  EXPECT_EQ(labels(makeAxis(1, 100000, Unit::Count, AxisKind::Exact)),
            (Labels{"0", "20k", "40k", "60k", "80k", "100k"}));
  EXPECT_EQ(labels(makeAxis(0.4, 0.9, Unit::Number, AxisKind::Fit)),
            (Labels{"0.4", "0.5", "0.6", "0.7", "0.8", "0.9"}));
  EXPECT_EQ(labels(makeAxis(0.012, 0.0125, Unit::Joules, AxisKind::FromZero)),
            (Labels{"0", "5 mJ", "10 mJ", "15 mJ"}));
  EXPECT_EQ(labels(makeAxis(10, 1101, Unit::Seconds, AxisKind::Exact)),
            (Labels{"0", "5 min", "10 min", "15 min"}));
  EXPECT_EQ(labels(makeAxis(-1, 1, Unit::Number, AxisKind::Fit)), (Labels{"−1", "−0.5", "0", "0.5", "1"}));
}

TEST(Axis, IsLogarithmicBeyondADecade) {
  Axis axis = makeAxis(0.0007, 2.3, Unit::Number, AxisKind::FitOrLog);
  EXPECT_TRUE(axis.isLog);
  EXPECT_DOUBLE_EQ(axis.low, 0.0005);
  EXPECT_DOUBLE_EQ(axis.high, 5);
  EXPECT_EQ(labels(axis), (Labels{"0.001", "0.01", "0.1", "1"}));
  EXPECT_NEAR(axis.place(0.0005), 0, 1e-12);
  EXPECT_NEAR(axis.place(0.05), 0.5, 1e-12);
  EXPECT_NEAR(axis.place(5), 1, 1e-12);
  EXPECT_EQ(labels(makeAxis(0.02, 0.9, Unit::Seconds, AxisKind::FitOrLog)),
            (Labels{"20 ms", "50 ms", "100 ms", "200 ms", "500 ms", "1 s"}));
  EXPECT_FALSE(makeAxis(0.2, 1.9, Unit::Number, AxisKind::FitOrLog).isLog);
  EXPECT_FALSE(makeAxis(0, 100, Unit::Number, AxisKind::FitOrLog).isLog);
  EXPECT_FALSE(makeAxis(-1, 100, Unit::Number, AxisKind::FitOrLog).isLog);
}

TEST(Axis, TakesAnyValues) {
  const double values[] = {-1e300, -1, -1e-300,   0,        5e-324, 1e-310, 1e-12,
                           0.3,    1,  1 + 1e-15, 12345678, 1e15,   1e300};
  for (double low : values)
    for (double high : values)
      for (AxisKind kind : {AxisKind::Exact, AxisKind::Fit, AxisKind::FromZero, AxisKind::FitOrLog}) {
        if (low > high || (kind == AxisKind::FromZero && low < 0))
          continue;
        Axis axis = makeAxis(low, high, Unit::Bytes, kind);
        SCOPED_TRACE(std::to_string(low) + " to " + std::to_string(high) + ", kind " +
                     std::to_string(int(kind)));
        EXPECT_LT(axis.low, axis.high);
        for (double value : {low, high}) {
          EXPECT_GE(axis.place(value), -1e-6);
          EXPECT_LE(axis.place(value), 1 + 1e-6);
        }
        EXPECT_GE(axis.ticks.size(), 2u);
        EXPECT_LE(labels(axis).size(), 10u);
        Labels shown = labels(axis);
        EXPECT_EQ(std::adjacent_find(shown.begin(), shown.end()), shown.end())
            << "equal labels: " << shown[0];
        for (const Tick &tick : axis.ticks) {
          EXPECT_GE(axis.place(tick.value), -1e-5);
          EXPECT_LE(axis.place(tick.value), 1 + 1e-5);
        }
      }
}

TEST(Thin, KeepsEnds_Spikes_AndGaps) {
  std::vector<double> x(100000), y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = double(i), y[i] = std::sin(double(i) / 1000);
  y[31234] = 50, y[31235] = -50;
  for (size_t i = 60000; i < 61000; ++i)
    y[i] = kGap;
  std::vector<Point> points = thin(x, y, 400);
  EXPECT_LE(points.size(), 802u);
  EXPECT_EQ(points.front().x, 0);
  EXPECT_EQ(points.back().x, 99999);
  auto has = [&](double where, double what) {
    return std::any_of(points.begin(), points.end(),
                       [&](const Point &point) { return point.x == where && point.y == what; });
  };
  EXPECT_TRUE(has(31234, 50));
  EXPECT_TRUE(has(31235, -50));
  EXPECT_TRUE(
      std::any_of(points.begin(), points.end(), [](const Point &point) { return std::isnan(point.y); }));
  EXPECT_TRUE(
      std::is_sorted(points.begin(), points.end(), [](const Point &a, const Point &b) { return a.x < b.x; }));
  EXPECT_EQ(thin(llvm::ArrayRef(x).take_front(700), llvm::ArrayRef(y).take_front(700), 400).size(), 700u);
}

TEST(Thin, MediansEndWhereTheValuesDo) {
  std::vector<double> x(1000), y(1000);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = double(i), y[i] = i % 10 == 5 ? 1000 : double(i);
  std::vector<Point> points = medians(x, y, 100, 31);
  EXPECT_EQ(points.size(), 101u);
  EXPECT_EQ(points.front().y, 0);
  EXPECT_EQ(points.back().y, 999);
  for (const Point &point : points)
    EXPECT_NEAR(point.y, point.x, 3) << "spikes do not move a median by much";
  EXPECT_TRUE(std::isnan(medians({1}, {kGap}, 10, 3).front().y));
  EXPECT_TRUE(medians({}, {}, 10, 3).empty());
}

TEST(Html, EscapesAnyBytes) {
  EXPECT_EQ(escapeHtml("<script>&\"'"), "&lt;script&gt;&amp;&quot;&apos;");
  EXPECT_EQ(escapeHtml(llvm::StringRef("a\0b\x1b", 4)), "a b ");
  EXPECT_EQ(escapeHtml("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(shorten("größer", 3), "grö…");
  EXPECT_EQ(shorten("größer", 6), "größer");
  EXPECT_EQ(lengthOf("größer"), 6u);
}

TEST(Chart, MarksATargetThatIsNear) {
  auto isMarked = [](double target, double low, double high) {
    Chart chart;
    chart.yKind = AxisKind::FitOrLog;
    chart.target = target;
    chart.series = {{0, "a", {1, 2}, {high, low}}};
    std::string text;
    llvm::raw_string_ostream out(text);
    writeChart(out, chart, 100);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    EXPECT_EQ(text.find("inf"), std::string::npos);
    return text.find("class=\"target\"") != std::string::npos;
  };
  for (double target : {0.0, 0.1, 1.0, 3.0})
    EXPECT_TRUE(isMarked(target, 1, 2)) << target;
  for (double target : {-0.1, 3.1, 1e308, -1e308})
    EXPECT_FALSE(isMarked(target, 1, 2)) << target;
  for (double target : {0.1, 1.0, 200.0})
    EXPECT_TRUE(isMarked(target, 1, 20)) << target;
  for (double target : {0.0, 0.09, 201.0, 1e308})
    EXPECT_FALSE(isMarked(target, 1, 20)) << target << ": the axis is logarithmic";
}

TEST(Chart, DrawsWhatIsThere) {
  Chart chart;
  chart.title = "Loss";
  chart.xTitle = "step";
  chart.target = 1.5;
  chart.series = {{0, "<b>", {1, 2, 3, 4}, {2, kGap, 1, kGap}}, {7, "one", {1}, {3}}};
  chart.absent = {"c: not measured, <why>"};
  std::string text;
  llvm::raw_string_ostream out(text);
  writeChart(out, chart, 100);
  EXPECT_TRUE(contains(text, "<title>&lt;b&gt;</title>"));
  EXPECT_TRUE(contains(text, "class=\"run c0 d0\""));
  EXPECT_TRUE(contains(text, "class=\"run c1 d1\"")) << "the second kind of lines";
  EXPECT_TRUE(contains(text, "target 1.5"));
  EXPECT_TRUE(contains(text, "&lt;why&gt;"));
  EXPECT_TRUE(contains(text, "aria-label=\"Loss. &lt;b&gt;: from 2 to 1. one: from 3 to 3.\""));
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);

  Chart empty;
  empty.title = "Nothing";
  empty.absent = {"a: not measured"};
  text.clear();
  writeChart(out, empty, 100);
  EXPECT_EQ(text.find("<svg"), std::string::npos);
  EXPECT_TRUE(contains(text, "a: not measured"));
}
