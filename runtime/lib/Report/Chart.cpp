//===- Chart.cpp - Line charts in SVG -------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Chart.h"

#include "Html.h"
#include "Thin.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt::report {

namespace {

constexpr size_t kColours = 6;
// All in units of the image, which is about as wide as it is shown.
constexpr double kWidth = 560, kHeight = 300, kTop = 12, kBottom = 40, kCharacter = 6.6, kLineHeight = 14;
constexpr size_t kLongestLabel = 14, kMostEndLabels = 8;
/// Shorter lines are drawn as they are, and a short line's points are marked.
constexpr size_t kNoisyFrom = 200, kWindows = 30, kMarkedUpTo = 40;

/// What is written at the end of a line, or beside it.
struct EndLabel {
  double x, y;
  std::string text;
  double width() const { return double(lengthOf(text)) * kCharacter; }
};

class ChartWriter {
public:
  ChartWriter(raw_ostream &out, const Chart &chart, size_t points);
  void write();
  /// How to read it.
  std::string detail() const;

private:
  void layOut();
  void placeLabels();
  void writeAxes();
  void writeTarget();
  void writeSeries(size_t index);
  void writePath(StringRef kind, ArrayRef<Point> points);
  void writeMarks(const Series &series);
  std::string description() const;
  size_t window(const Series &series) const;
  std::string labelOf(const Series &series) const;

  double placeX(double value) const { return left + x.place(value) * (right - left); }
  double placeY(double value) const {
    return kHeight - kBottom - y.place(value) * (kHeight - kBottom - kTop);
  }

  raw_ostream &out;
  const Chart &chart;
  size_t points;
  Axis x, y;
  std::optional<double> target;
  double left = 0, right = 0;
  std::vector<EndLabel> labels; ///< of each line, if any
};

} // namespace

/// A coordinate; a hundredth of a unit is less than can be seen.
static std::string at(double value) { return formatFixed(value, 2); }

/// For the style, which has the colours and the kinds of lines.
static std::string classOfRun(size_t run) {
  return ("run c" + Twine(run % kColours) + " d" + Twine(run / kColours)).str();
}

void writeSwatch(raw_ostream &out, size_t run) {
  out << "<svg class=\"swatch\" viewBox=\"0 0 26 8\" aria-hidden=\"true\"><g class=\"" << classOfRun(run)
      << "\"><path class=\"line\" d=\"M1 4H25\"/></g></svg>";
}

/// The last value that there is.
static Point endOf(const Series &series) {
  for (size_t i = series.y.size(); i-- > 0;)
    if (!std::isnan(series.y[i]))
      return {series.x[i], series.y[i]};
  llvm_unreachable("a line without a value");
}

//===----------------------------------------------------------------------===//
// Layout
//===----------------------------------------------------------------------===//

/// Whether lines between `low` and `high` can still be read on an axis that has the target, too.
static bool isNear(double target, double low, double high) {
  if (low > 0 && high / low > 10)
    return target >= low / 10 && target <= high * 10;
  return target >= low - (high - low) && target <= high + (high - low);
}

ChartWriter::ChartWriter(raw_ostream &out, const Chart &chart, size_t points)
    : out(out), chart(chart), points(points) {
  double lowX = HUGE_VAL, highX = -HUGE_VAL, lowY = HUGE_VAL, highY = -HUGE_VAL;
  for (const Series &series : chart.series) {
    lowX = std::min(lowX, series.x.front());
    highX = std::max(highX, series.x.back());
    for (double value : series.y)
      if (!std::isnan(value)) {
        lowY = std::min(lowY, value);
        highY = std::max(highY, value);
      }
  }
  if (chart.target && isNear(*chart.target, lowY, highY)) {
    target = chart.target;
    lowY = std::min(lowY, *target);
    highY = std::max(highY, *target);
  }
  x = makeAxis(lowX, highX, chart.xUnit, AxisKind::Exact);
  y = makeAxis(lowY, highY, chart.yUnit, chart.yKind);
  layOut();
}

std::string ChartWriter::labelOf(const Series &series) const {
  if (chart.series.size() == 1)
    return formatValue(endOf(series).y, chart.yUnit);
  return shorten(series.name, kLongestLabel);
}

void ChartWriter::layOut() {
  size_t longest = 0;
  for (const Tick &tick : y.ticks)
    longest = std::max(longest, lengthOf(tick.label));
  left = std::max(34.0, double(longest) * kCharacter + 10);
  right = kWidth - 14;
  if (chart.series.size() > kMostEndLabels)
    return;
  // A line that ends early has its label inside; only those that would not fit make the chart narrower.
  for (const Series &series : chart.series) {
    const double width = double(lengthOf(labelOf(series))) * kCharacter + 10;
    const double place = x.place(endOf(series).x);
    // left + place * (right - left) + width <= kWidth
    if (place > 0)
      right = std::min(right, left + (kWidth - width - left) / place);
  }
  placeLabels();
}

/// From the top down, each below those that it would cover.
void ChartWriter::placeLabels() {
  for (const Series &series : chart.series) {
    const Point end = endOf(series);
    labels.push_back({placeX(end.x) + 7, placeY(end.y), labelOf(series)});
  }
  std::vector<EndLabel *> order;
  for (EndLabel &label : labels)
    order.push_back(&label);
  stable_sort(order, [](const EndLabel *a, const EndLabel *b) { return a->y < b->y; });
  auto covers = [](const EndLabel &a, const EndLabel &b) {
    return a.x < b.x + b.width() && b.x < a.x + a.width() && std::abs(a.y - b.y) < kLineHeight;
  };
  const double lowest = kHeight - kBottom - 4;
  for (size_t i = 0; i < order.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (covers(*order[i], *order[k]))
        order[i]->y = order[k]->y + kLineHeight;
  // What was pushed below the chart goes up again, and pushes those above it.
  for (size_t i = order.size(); i-- > 0;) {
    order[i]->y = std::min(order[i]->y, lowest);
    for (size_t k = order.size() - 1; k > i; --k)
      if (covers(*order[i], *order[k]))
        order[i]->y = order[k]->y - kLineHeight;
  }
}

//===----------------------------------------------------------------------===//
// Axes
//===----------------------------------------------------------------------===//

void ChartWriter::writeAxes() {
  const double bottom = kHeight - kBottom;
  for (const Tick &tick : y.ticks) {
    const std::string place = at(placeY(tick.value));
    out << "<path class=\"" << (tick.label.empty() ? "grid minor" : "grid") << "\" d=\"M" << at(left) << ' '
        << place << 'H' << at(right) << "\"/>";
    if (!tick.label.empty())
      out << "<text class=\"y\" x=\"" << at(left - 7) << "\" y=\"" << at(placeY(tick.value) + 4) << "\">"
          << tick.label << "</text>";
  }
  out << "<path class=\"axis\" d=\"M" << at(left) << ' ' << at(bottom) << 'H' << at(right) << "\"/>";
  for (const Tick &tick : x.ticks) {
    const std::string place = at(placeX(tick.value));
    out << "<path class=\"axis\" d=\"M" << place << ' ' << at(bottom) << "v5\"/><text class=\"x\" x=\""
        << place << "\" y=\"" << at(bottom + 18) << "\">" << tick.label << "</text>";
  }
  out << "<text class=\"title\" x=\"" << at(right) << "\" y=\"" << at(kHeight - 5) << "\">" << chart.xTitle
      << "</text>\n";
}

void ChartWriter::writeTarget() {
  if (!target)
    return;
  const double place = placeY(*target);
  out << "<path class=\"target\" d=\"M" << at(left) << ' ' << at(place) << 'H' << at(right)
      << "\"/><text class=\"target\" x=\"" << at(right - 4) << "\" y=\"" << at(place - 4) << "\">target "
      << formatNumber(*target) << "</text>\n";
}

//===----------------------------------------------------------------------===//
// Lines
//===----------------------------------------------------------------------===//

/// How many values a running median is of; 0: there is none.
size_t ChartWriter::window(const Series &series) const {
  return chart.isNoisy && series.x.size() > kNoisyFrom ? series.x.size() / kWindows | 1 : 0;
}

void ChartWriter::writePath(StringRef kind, ArrayRef<Point> line) {
  out << "<path class=\"" << kind << "\" d=\"";
  bool isOpen = false;
  for (const Point &point : line) {
    if (std::isnan(point.y)) {
      isOpen = false;
      continue;
    }
    // A line of no length is drawn as a dot.
    const std::string place = at(placeX(point.x)) + ' ' + at(placeY(point.y));
    out << (isOpen ? "L" : "M") << place;
    if (!isOpen)
      out << "h0";
    isOpen = true;
  }
  out << "\"/>";
}

void ChartWriter::writeMarks(const Series &series) {
  for (auto [where, value] : zip_equal(series.x, series.y))
    if (!std::isnan(value))
      out << "<circle cx=\"" << at(placeX(where)) << "\" cy=\"" << at(placeY(value)) << "\" r=\"2.2\"/>";
}

void ChartWriter::writeSeries(size_t index) {
  const Series &series = chart.series[index];
  out << "<g class=\"" << classOfRun(series.run) << "\" data-run=\"" << series.run << "\"><title>"
      << escapeHtml(series.name) << "</title>";
  const size_t values = window(series);
  writePath(values ? "raw" : "line", thin(series.x, series.y, points));
  if (values)
    writePath("line", medians(series.x, series.y, points, values));
  if (series.x.size() <= kMarkedUpTo)
    writeMarks(series);
  const Point end = endOf(series);
  out << "<circle cx=\"" << at(placeX(end.x)) << "\" cy=\"" << at(placeY(end.y)) << "\" r=\"3\"/>";
  if (!labels.empty())
    out << "<text class=\"end\" x=\"" << at(labels[index].x) << "\" y=\"" << at(labels[index].y + 4) << "\">"
        << escapeHtml(labels[index].text) << "</text>";
  out << "</g>\n";
}

//===----------------------------------------------------------------------===//
// The figure
//===----------------------------------------------------------------------===//

/// What the image shows, for those who cannot see it.
std::string ChartWriter::description() const {
  std::string text = chart.title + ".";
  for (const Series &series : chart.series) {
    const double *first = find_if(ArrayRef(series.y), [](double value) { return !std::isnan(value); });
    text += " " + series.name + ": from " + formatValue(*first, chart.yUnit) + " to " +
            formatValue(endOf(series).y, chart.yUnit) + ".";
  }
  return text;
}

std::string ChartWriter::detail() const {
  std::vector<std::string> parts;
  if (y.isLog)
    parts.push_back("log scale");
  size_t widest = 0;
  for (const Series &series : chart.series)
    widest = std::max(widest, window(series));
  if (widest > 0)
    parts.push_back(("strong: median of " + Twine(widest) + " steps").str());
  return join(parts, " · ");
}

/// For the script: where the axis is in the image, its ends, and how its values are shown; counts as they
/// are.
static void writeData(raw_ostream &out, StringRef name, const Axis &axis, Unit unit, double first,
                      double last) {
  const Scale scale = unit == Unit::Count ? Scale{0, ""} : axis.scale;
  out << " data-" << name << "=\"" << at(first) << ' ' << at(last) << ' '
      << format("%.9g %.9g %.9g ", axis.low, axis.high, scale.factor) << (axis.isLog ? "log" : "linear")
      << "\" data-" << name << "-unit=\"" << scale.suffix << '"';
}

void ChartWriter::write() {
  out << "<svg viewBox=\"0 0 " << at(kWidth) << ' ' << at(kHeight) << "\" role=\"img\" aria-label=\""
      << escapeHtml(description()) << '"';
  writeData(out, "x", x, chart.xUnit, left, right);
  writeData(out, "y", y, chart.yUnit, kHeight - kBottom, kTop);
  out << ">\n";
  writeAxes();
  for (size_t index = 0; index < chart.series.size(); ++index)
    writeSeries(index);
  writeTarget();
  out << "</svg>\n";
}

void writeChart(raw_ostream &out, const Chart &chart, size_t points) {
  out << "<figure><figcaption><b>" << chart.title << "</b>";
  if (chart.series.empty()) {
    out << "</figcaption>\n";
  } else {
    ChartWriter writer(out, chart, points);
    if (std::string detail = writer.detail(); !detail.empty())
      out << " <span>" << detail << "</span>";
    out << "</figcaption>\n";
    writer.write();
  }
  for (const std::string &absent : chart.absent)
    out << "<p class=\"absent\">" << escapeHtml(absent) << "</p>\n";
  out << "</figure>\n";
}

} // namespace phantom::rt::report
