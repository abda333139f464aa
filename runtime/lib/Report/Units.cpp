//===- Units.cpp - Numbers for people -------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Units.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt::report {

namespace {

/// A scale for values from `least` on: "90 s" reads better than "1.5 min", and "1000" better than "1k".
struct ScaleFrom {
  double least;
  Scale scale;
};

} // namespace

/// From the largest on; the last one is for all that is smaller.
static ArrayRef<ScaleFrom> scalesOf(Unit unit) {
  static constexpr ScaleFrom number[] = {{0, {1, ""}}},
                             count[] = {{1e10, {1e9, "G"}},
                                        {1e7, {1e6, "M"}},
                                        {1e4, {1e3, "k"}},
                                        {0, {1, ""}}},
                             seconds[] = {{10800, {3600, " h"}},
                                          {180, {60, " min"}},
                                          {1, {1, " s"}},
                                          {1e-3, {1e-3, " ms"}},
                                          {0, {1e-6, " µs"}}},
                             bytes[] = {{1e12, {1e12, " TB"}},
                                        {1e9, {1e9, " GB"}},
                                        {1e6, {1e6, " MB"}},
                                        {1e3, {1e3, " kB"}},
                                        {0, {1, " B"}}},
                             joules[] = {{1e9, {1e9, " GJ"}}, {1e6, {1e6, " MJ"}},   {1e3, {1e3, " kJ"}},
                                         {1, {1, " J"}},      {1e-3, {1e-3, " mJ"}}, {0, {1e-6, " µJ"}}},
                             flops[] = {{1e12, {1e12, " Tflop"}},
                                        {1e9, {1e9, " Gflop"}},
                                        {1e6, {1e6, " Mflop"}},
                                        {1e3, {1e3, " kflop"}},
                                        {0, {1, " flop"}}},
                             share[] = {{0, {1e-2, " %"}}}, perSecond[] = {{0, {1, "/s"}}};
  switch (unit) {
  case Unit::Number:
    return number;
  case Unit::Count:
    return count;
  case Unit::Seconds:
    return seconds;
  case Unit::Bytes:
    return bytes;
  case Unit::Joules:
    return joules;
  case Unit::Flops:
    return flops;
  case Unit::Share:
    return share;
  case Unit::PerSecond:
    return perSecond;
  }
  llvm_unreachable("unknown unit");
}

Scale scaleOf(Unit unit, double largest) {
  ArrayRef<ScaleFrom> scales = scalesOf(unit);
  // Zero is "0 s", not "0 µs".
  const auto *found = find_if(scales, [&](const ScaleFrom &from) {
    return largest == 0 ? from.scale.factor == 1 : largest >= from.least;
  });
  return found == scales.end() ? scales.back().scale : found->scale;
}

std::string formatFixed(double value, int decimals) {
  std::string text;
  raw_string_ostream(text) << format("%.*f", decimals, value);
  return StringRef(text).contains('.') ? StringRef(text).rtrim('0').rtrim('.').str() : text;
}

static std::string superscript(int exponent) {
  static constexpr StringLiteral digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (char digit : std::to_string(std::abs(exponent)))
    text += digits[digit - '0'];
  return text;
}

std::string formatNumber(double value, int digits) {
  if (value == 0)
    return "0";
  if (value < 0)
    return "−" + formatNumber(-value, digits);
  std::string text;
  raw_string_ostream(text) << format("%.*e", digits - 1, value);
  auto [mantissa, power] = StringRef(text).split('e');
  power.consume_front("+");
  int exponent = 0;
  power.getAsInteger(10, exponent);
  if (exponent >= -4 && exponent < 6)
    return formatFixed(value, std::max(0, digits - 1 - exponent));
  if (mantissa.contains('.'))
    mantissa = mantissa.rtrim('0').rtrim('.');
  return (mantissa == "1" ? "10" : mantissa.str() + "×10") + superscript(exponent);
}

/// With commas between thousands.
static std::string formatWhole(double value) {
  std::string text = formatFixed(value, 0);
  for (auto place = int64_t(text.size()) - 3; place > 0; place -= 3)
    text.insert(size_t(place), ",");
  return text;
}

std::string formatValue(double value, Unit unit) {
  const Scale scale = scaleOf(unit, std::abs(value));
  if (unit == Unit::Count)
    return formatWhole(value);
  if (unit == Unit::PerSecond && value >= 1000)
    return formatWhole(value) + scale.suffix.str();
  return formatNumber(value / scale.factor) + scale.suffix.str();
}

} // namespace phantom::rt::report
