//===- MathTest.cpp - Accuracy of the kernels' functions -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "gtest/gtest.h"

#include <cmath>
#include <functional>
#include <limits>

using phantom::test::Runner;

namespace {

struct Function {
  std::string op; ///< on %x of type T, or an activation's kind
  std::function<double(double)> reference;
  double lowest, highest; ///< range of the inputs
};

std::string elementwise(const std::string &op, const std::string &type) {
  std::string line = op.find('.') == std::string::npos
                         ? "phantom.activation <" + op + "> %x {alpha = 0.5 : f64} : T"
                         : op + " %x : T";
  std::string ir =
      "func.func @forward(%x: T {phantom.input = \"x\"}) -> (T {phantom.output = \"y\"}) {\n  %y = " + line +
      "\n  return %y : T\n}\n";
  for (size_t at; (at = ir.find(" T")) != std::string::npos;)
    ir.replace(at, 2, " tensor<4096x" + type + ">");
  for (size_t at; (at = ir.find("(T")) != std::string::npos;)
    ir.replace(at, 2, "(tensor<4096x" + type + ">");
  return ir;
}

/// Evenly spaced over the range, dense around zero, and the special values.
std::vector<double> inputs(double lowest, double highest) {
  std::vector<double> x;
  for (int i = 0; i < 3000; ++i)
    x.push_back(static_cast<float>(lowest + (highest - lowest) * i / 2999));
  for (int e = -45; e <= 3; ++e)
    for (int i = 0; i < 10; ++i)
      for (double sign : {1.0, -1.0})
        x.push_back(static_cast<float>(sign * std::pow(10.0, e) * (1 + i * 0.1)));
  double infinity = std::numeric_limits<double>::infinity();
  for (double special : {0.0, -0.0, infinity, -infinity, std::nan(""), 1e30, -1e30, 3e38, -3e38})
    x.push_back(special);
  x.resize(4096, 1.0);
  for (double &value : x)
    if (value < lowest && lowest == 0)
      value = -value;
  return x;
}

class MathTest : public testing::TestWithParam<Function> {};

void expectAccurate(const Function &function, const std::string &type, double tolerance) {
  Runner runner(elementwise(function.op, type), type == "f64" ? "reference-gemm" : "");
  std::vector<double> x = inputs(function.lowest, function.highest);
  runner.set("x", x);
  runner.run();
  std::vector<double> y = runner.get("y");
  int shown = 0;
  for (size_t i = 0; i < x.size() && shown < 5; ++i) {
    double input = type == "f32" ? static_cast<float>(x[i]) : x[i];
    double expected = function.reference(input);
    if (type == "f32")
      expected = static_cast<float>(expected);
    bool same = std::isnan(expected) ? std::isnan(y[i]) : expected == y[i];
    double error = std::abs(y[i] - expected) / std::max(1.0, std::abs(expected));
    bool accurate = same || (std::isfinite(expected) && error <= tolerance);
    EXPECT_TRUE(accurate) << function.op << "(" << input << ") = " << y[i] << ", not " << expected;
    shown += !accurate;
  }
}

TEST_P(MathTest, F32IsAccurateEverywhere) { expectAccurate(GetParam(), "f32", 1e-6); }
TEST_P(MathTest, F64IsTheCLibrary) { expectAccurate(GetParam(), "f64", 1e-14); }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

const Function functions[] = {
    {"math.tanh", [](double x) { return std::tanh(x); }, -12, 12},
    {"math.erf", [](double x) { return std::erf(x); }, -6, 6},
    {"math.exp", [](double x) { return std::exp(x); }, -110, 89},
    {"math.expm1", [](double x) { return std::expm1(x); }, -30, 30},
    {"math.log", [](double x) { return std::log(x); }, 0, 1000},
    {"math.log1p", [](double x) { return std::log1p(x); }, 0, 1000},
    {"math.sqrt", [](double x) { return std::sqrt(x); }, 0, 1000},
    {"relu", [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }, -5, 5},
    {"leaky_relu", [](double x) { return x > 0 ? x : 0.5 * x; }, -5, 5},
    {"elu", [](double x) { return x > 0 ? x : 0.5 * std::expm1(x); }, -20, 5},
    {"sigmoid", sigmoid, -100, 100},
    {"tanh", [](double x) { return std::tanh(x); }, -12, 12},
    {"gelu_erf", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2))); }, -12, 12},
    {"gelu_tanh",
     [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); },
     -12, 12},
    {"silu", [](double x) { return x * sigmoid(x); }, -80, 80},
};

INSTANTIATE_TEST_SUITE_P(Functions, MathTest, testing::ValuesIn(functions), [](const auto &info) {
  std::string name = info.param.op;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
});

} // namespace
