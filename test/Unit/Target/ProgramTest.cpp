//===- ProgramTest.cpp - Step programs against numbers -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "gtest/gtest.h"

#include <cmath>

using phantom::test::Runner;

namespace {

/// Numbers that look random, in ±1: the same for equal arguments.
std::vector<double> numbers(size_t count, uint64_t seed) {
  std::vector<double> result(count);
  uint64_t state = seed * 0x9e3779b97f4a7c15 + 1;
  for (double &value : result) {
    state = state * 6364136223846793005 + 1442695040888963407;
    value = static_cast<float>(static_cast<double>(static_cast<int64_t>(state) >> 11) / (1ll << 52));
  }
  return result;
}

void expectNear(const std::vector<double> &actual, const std::vector<double> &expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance) << "at " << i;
}

/// a [m, k] · b [k, n]
std::vector<double> product(const std::vector<double> &a, const std::vector<double> &b, int m, int k, int n) {
  std::vector<double> c(m * n);
  for (int i = 0; i < m; ++i)
    for (int l = 0; l < k; ++l)
      for (int j = 0; j < n; ++j)
        c[i * n + j] += a[i * k + l] * b[l * n + j];
  return c;
}

std::vector<double> transposed(const std::vector<double> &a, int rows, int columns) {
  std::vector<double> t(a.size());
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < columns; ++j)
      t[j * rows + i] = a[i * columns + j];
  return t;
}

class GemmTest : public testing::TestWithParam<std::string> {};

TEST_P(GemmTest, EveryProductMatchesItsDefinition) {
  Runner runner(R"(
    func.func @forward(%x: tensor<2x3x8xf32> {phantom.input = "x"}, %w: tensor<6x8xf32> {phantom.input = "w"},
        %b: tensor<6xf32> {phantom.input = "b"}, %g: tensor<4x6xf32> {phantom.input = "g"},
        %d: tensor<4x6xf32> {phantom.input = "d"})
        -> (tensor<2x3x6xf32> {phantom.output = "y"}, tensor<6x8xf32> {phantom.output = "dw"},
            tensor<4x6xf32> {phantom.output = "c"}, tensor<4x8xf32> {phantom.output = "gg"}) {
      %z = phantom.linear %x, %w bias %b : (tensor<2x3x8xf32>, tensor<6x8xf32>, tensor<6xf32>) -> tensor<2x3x6xf32>
      %o = phantom.decompress %g, %d acc %z : (tensor<4x6xf32>, tensor<4x6xf32>, tensor<2x3x6xf32>) -> tensor<2x3x6xf32>
      %y = phantom.activation <tanh> %o : tensor<2x3x6xf32>
      %dw = phantom.weight_gradient %y, %x : (tensor<2x3x6xf32>, tensor<2x3x8xf32>) -> tensor<6x8xf32>
      %c = phantom.compress %y, %d : (tensor<2x3x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
      %gg = phantom.ghost_weight_gradient %g, %x : (tensor<4x6xf32>, tensor<2x3x8xf32>) -> tensor<4x8xf32>
      return %y, %dw, %c, %gg : tensor<2x3x6xf32>, tensor<6x8xf32>, tensor<4x6xf32>, tensor<4x8xf32>
    })",
                GetParam());
  std::vector<double> x = numbers(48, 1), w = numbers(48, 2), b = numbers(6, 3), g = numbers(24, 4),
                      d = numbers(24, 5);
  runner.set("x", x);
  runner.set("w", w);
  runner.set("b", b);
  runner.set("g", g);
  runner.set("d", d);
  runner.run();

  std::vector<double> y = product(x, transposed(w, 6, 8), 6, 8, 6);
  std::vector<double> ghosts = product(transposed(g, 4, 6), d, 6, 4, 6);
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = std::tanh(y[i] + b[i % 6] + ghosts[i]);
  double tolerance = GetParam() == "precision=f64" ? 1e-13 : 2e-6;
  expectNear(runner.get("y"), y, tolerance);
  expectNear(runner.get("dw"), product(transposed(y, 6, 6), x, 6, 6, 8), tolerance);
  expectNear(runner.get("c"), product(d, transposed(y, 6, 6), 4, 6, 6), tolerance);
  expectNear(runner.get("gg"), product(g, x, 4, 6, 8), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Options, GemmTest,
                         testing::Values("", "fuse-epilogues=false", "reference-gemm", "precision=f64"),
                         [](const auto &info) { return "o" + std::to_string(info.index); });

TEST(ShapeTest, MovesAndSums) {
  Runner runner(R"(
    func.func @forward(%x: tensor<2x3x4xf32> {phantom.input = "x"})
        -> (tensor<4x2x3xf32> {phantom.output = "t"}, tensor<4xf32> {phantom.output = "s"},
            tensor<2x3xf32> {phantom.output = "r"}, tensor<2x3x4xf32> {phantom.output = "b"},
            tensor<6x4xf32> {phantom.output = "f"}) {
      %t = phantom.transpose %x [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
      %s = phantom.reduce_sum %x [0, 1] : tensor<2x3x4xf32> -> tensor<4xf32>
      %r = phantom.reduce_sum %x [2] : tensor<2x3x4xf32> -> tensor<2x3xf32>
      %u = phantom.reshape %r : tensor<2x3xf32> -> tensor<2x3x1xf32>
      %b = phantom.broadcast %u : (tensor<2x3x1xf32>) -> tensor<2x3x4xf32>
      %f = phantom.reshape %x : tensor<2x3x4xf32> -> tensor<6x4xf32>
      return %t, %s, %r, %b, %f : tensor<4x2x3xf32>, tensor<4xf32>, tensor<2x3xf32>, tensor<2x3x4xf32>, tensor<6x4xf32>
    })");
  std::vector<double> x = numbers(24, 1), s(4), r(6), b(24);
  for (int i = 0; i < 24; ++i) {
    s[i % 4] += x[i];
    r[i / 4] += x[i];
  }
  for (int i = 0; i < 24; ++i)
    b[i] = r[i / 4];
  runner.set("x", x);
  runner.run();
  expectNear(runner.get("t"), transposed(x, 6, 4), 0);
  expectNear(runner.get("s"), s, 1e-6);
  expectNear(runner.get("r"), r, 1e-6);
  expectNear(runner.get("b"), b, 1e-6);
  expectNear(runner.get("f"), x, 0);
}

TEST(ScatterTest, SumsTheCotangentsOfEachIndex) {
  Runner runner(R"(
    func.func @forward(%dy: tensor<2x2x3x4xf32> {phantom.input = "dy"}, %i: tensor<2x3xi64> {phantom.input = "i"},
        %ds: tensor<4xf32> {phantom.input = "ds"}, %s: tensor<i64> {phantom.input = "s"})
        -> (tensor<2x5x4xf32> {phantom.output = "g"}, tensor<3x4xf32> {phantom.output = "h"}) {
      %g = phantom.gather_gradient %dy, %i dim 1 : (tensor<2x2x3x4xf32>, tensor<2x3xi64>) -> tensor<2x5x4xf32>
      %h = phantom.gather_gradient %ds, %s dim 0 : (tensor<4xf32>, tensor<i64>) -> tensor<3x4xf32>
      return %g, %h : tensor<2x5x4xf32>, tensor<3x4xf32>
    })");
  std::vector<double> dy = numbers(48, 1), ds = numbers(4, 2), g(40), h(12);
  // Some twice, some from the end; 5 and -6 do not exist.
  std::vector<double> indices{3, 0, -1, 3, 5, -6};
  runner.set("dy", dy);
  runner.set("i", indices);
  runner.set("ds", ds);
  runner.set("s", {-2});
  runner.run();
  const int rows[] = {3, 0, 4, 3, -1, -1};
  for (int a = 0; a < 2; ++a)
    for (int place = 0; place < 6; ++place)
      for (int c = 0; c < 4 && rows[place] >= 0; ++c)
        g[(a * 5 + rows[place]) * 4 + c] += dy[(a * 6 + place) * 4 + c];
  std::copy(ds.begin(), ds.end(), h.begin() + 4);
  expectNear(runner.get("g"), g, 1e-6);
  expectNear(runner.get("h"), h, 0);
}

TEST(LossTest, CrossEntropyIsStableAndMasked) {
  Runner runner(R"(
    func.func @evaluate(%x: tensor<4x3xf32> {phantom.input = "x"}, %t: tensor<4xi64> {phantom.target},
        %v: tensor<i64> {phantom.scalar = "valid"})
        -> (tensor<f32> {phantom.loss}, tensor<4x3xf32> {phantom.output = "g"}, tensor<4x3xf32> {phantom.output = "p"}) {
      %l = phantom.loss <cross_entropy> %x, %t valid %v : (tensor<4x3xf32>, tensor<4xi64>, tensor<i64>) -> tensor<f32>
      %g = phantom.loss_gradient <cross_entropy> %x, %t : (tensor<4x3xf32>, tensor<4xi64>) -> tensor<4x3xf32>
      %p = phantom.softmax %x dim 1 : tensor<4x3xf32>
      return %l, %g, %p : tensor<f32>, tensor<4x3xf32>, tensor<4x3xf32>
    })",
                "", "evaluate");
  std::vector<double> x{1, 2, 3, 1000, -1000, 999, 0, 0, 0, 5, 5, -5}, g(12), p(12);
  std::vector<double> t{2, 0, 1, 2};
  runner.set("x", x);
  runner.set("target", t);
  runner.set("valid", {3});
  runner.run();
  double loss = 0;
  for (int i = 0; i < 4; ++i) {
    double max = std::max({x[3 * i], x[3 * i + 1], x[3 * i + 2]}), sum = 0;
    for (int j = 0; j < 3; ++j)
      sum += std::exp(x[3 * i + j] - max);
    loss += i < 3 ? (std::log(sum) + max - x[3 * i + static_cast<int>(t[i])]) / 3 : 0;
    for (int j = 0; j < 3; ++j) {
      p[3 * i + j] = std::exp(x[3 * i + j] - max) / sum;
      g[3 * i + j] = (p[3 * i + j] - (t[i] == j)) / 4;
    }
  }
  expectNear(runner.get("loss"), {loss}, 1e-6);
  expectNear(runner.get("g"), g, 1e-6);
  expectNear(runner.get("p"), p, 1e-6);
}

TEST(LossTest, ElementwiseLosses) {
  for (std::string kind : {"mse", "bce"}) {
    std::string ir = R"(
      func.func @evaluate(%x: tensor<4x3xf32> {phantom.input = "x"}, %t: tensor<4x3xf32> {phantom.target},
          %v: tensor<i64> {phantom.scalar = "valid"}) -> (tensor<f32> {phantom.loss}, tensor<4x3xf32> {phantom.output = "g"}) {
        %l = phantom.loss <KIND> %x, %t valid %v : (tensor<4x3xf32>, tensor<4x3xf32>, tensor<i64>) -> tensor<f32>
        %g = phantom.loss_gradient <KIND> %x, %t : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
        return %l, %g : tensor<f32>, tensor<4x3xf32>
      })";
    for (size_t at; (at = ir.find("KIND")) != std::string::npos;)
      ir.replace(at, 4, kind);
    Runner runner(ir, "", "evaluate");
    std::vector<double> x = numbers(12, 1), t = numbers(12, 2), g(12);
    x[0] = 100;
    x[1] = -100;
    double loss = 0;
    for (int i = 0; i < 12; ++i) {
      t[i] = std::abs(t[i]);
      double sigmoid = 1 / (1 + std::exp(-x[i]));
      double term = kind == "mse" ? (x[i] - t[i]) * (x[i] - t[i])
                                  : std::max(x[i], 0.0) - x[i] * t[i] + std::log1p(std::exp(-std::abs(x[i])));
      loss += i < 6 ? term / 6 : 0;
      g[i] = (kind == "mse" ? 2 * (x[i] - t[i]) : sigmoid - t[i]) / 12;
    }
    runner.set("x", x);
    runner.set("target", t);
    runner.set("valid", {2});
    runner.run();
    expectNear(runner.get("loss"), {loss}, 1e-6 * std::max(1.0, loss));
    expectNear(runner.get("g"), g, 1e-5);
  }
}

/// Every exchange, strided and contiguous, on three ranks; the ranks' values differ by what local_slice and
/// mask_own_block make of them.
TEST(ExchangeTest, GathersAndReductions) {
  for (std::string options : {"", "overlap=false", "reference-gemm"}) {
    Runner runner(R"(
      phantom.mesh @mesh = [<"phantom" = 3>]
      func.func @forward(%x: tensor<6x6xf32> {phantom.input = "x"}, %y: tensor<6x4xf32> {phantom.input = "y"})
          -> (tensor<6x6xf32> {phantom.output = "columns"}, tensor<6x4xf32> {phantom.output = "rows"},
              tensor<6x4xf32> {phantom.output = "masked"}, tensor<6x6xf32> {phantom.output = "scattered"},
              tensor<6x1x6xf32> {phantom.output = "cube"}, tensor<6x4xf32> {phantom.output = "chained"}) {
        %s = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<6x6xf32> -> tensor<6x2xf32>
        %r = phantom.activation <relu> %s : tensor<6x2xf32>
        %columns = phantom.all_gather %r dim 1 on @mesh "phantom" : tensor<6x2xf32> -> tensor<6x6xf32>
        %q = phantom.local_slice %y dim 0 on @mesh "phantom" : tensor<6x4xf32> -> tensor<2x4xf32>
        %rows = phantom.all_gather %q dim 0 on @mesh "phantom" : tensor<2x4xf32> -> tensor<6x4xf32>
        %m = phantom.mask_own_block %y on @mesh "phantom" : tensor<6x4xf32>
        %masked = phantom.all_reduce %m on @mesh "phantom" : tensor<6x4xf32> -> tensor<6x4xf32>
        %p = arith.addf %x, %x : tensor<6x6xf32>
        %part = phantom.reduce_scatter %p dim 1 on @mesh "phantom" : tensor<6x6xf32> -> tensor<6x2xf32>
        %scattered = phantom.all_gather %part dim 1 on @mesh "phantom" : tensor<6x2xf32> -> tensor<6x6xf32>
        %c = phantom.reshape %r : tensor<6x2xf32> -> tensor<6x1x2xf32>
        %cube = phantom.all_gather %c dim 2 on @mesh "phantom" : tensor<6x1x2xf32> -> tensor<6x1x6xf32>
        %n = arith.addf %y, %y : tensor<6x4xf32>
        %sum = phantom.reduce_scatter %n dim 0 on @mesh "phantom" : tensor<6x4xf32> -> tensor<2x4xf32>
        %chained = phantom.all_gather %sum dim 0 on @mesh "phantom" : tensor<2x4xf32> -> tensor<6x4xf32>
        return %columns, %rows, %masked, %scattered, %cube, %chained
            : tensor<6x6xf32>, tensor<6x4xf32>, tensor<6x4xf32>, tensor<6x6xf32>, tensor<6x1x6xf32>, tensor<6x4xf32>
      })",
                  options);
    std::vector<double> x = numbers(36, 1), y = numbers(24, 2), relu = x, masked = y, scattered = x,
                        chained = y;
    for (int i = 0; i < 36; ++i) {
      relu[i] = std::max(x[i], 0.0);
      scattered[i] = 6 * x[i];
    }
    for (int i = 0; i < 24; ++i) {
      masked[i] = 2 * y[i];
      chained[i] = 6 * y[i];
    }
    runner.set("x", x);
    runner.set("y", y);
    for (int repeat = 0; repeat < 2; ++repeat) {
      runner.run();
      for (int64_t rank = 0; rank < 3; ++rank) {
        expectNear(runner.get("columns", rank), relu, 0);
        expectNear(runner.get("rows", rank), y, 0);
        expectNear(runner.get("masked", rank), masked, 1e-6);
        expectNear(runner.get("scattered", rank), scattered, 1e-6);
        expectNear(runner.get("cube", rank), relu, 0);
        expectNear(runner.get("chained", rank), chained, 1e-6);
      }
    }
  }
}

/// w starts uniform, the gradient is x: two steps of each rule.
TEST(UpdateTest, RulesInPlace) {
  struct Rule {
    std::string kind;
    int states;
  };
  for (const Rule &rule : {Rule{"sgd", 0}, Rule{"momentum", 1}, Rule{"adam", 2}, Rule{"adamw", 2}}) {
    std::string parameters = "phantom.parameter @w : tensor<8xf32> init <uniform, fan_in = 4> trainable\n";
    std::string arguments, names, types, results, returned;
    for (int i = 0; i < rule.states; ++i) {
      std::string state = "s" + std::to_string(i), separator = i ? ", " : "";
      parameters += "phantom.parameter @" + state + " : tensor<8xf32> init <zeros> state_of @w\n";
      arguments += ", %" + state + ": tensor<8xf32> {phantom.parameter = @" + state + "}";
      names += separator + "%" + state;
      types += ", tensor<8xf32>";
      results += ", tensor<8xf32> {phantom.updated = @" + state + "}";
      returned += ", %n#" + std::to_string(i + 1);
    }
    std::string count = std::to_string(rule.states + 1), all = "tensor<8xf32>" + types;
    Runner runner(
        parameters + "func.func @train_step(%x: tensor<8xf32> {phantom.input = \"x\"}, " +
            "%lr: tensor<f32> {phantom.scalar = \"learning_rate\"}, %t: tensor<i64> {phantom.scalar = "
            "\"step\"}, " +
            "%w: tensor<8xf32> {phantom.parameter = @w}" + arguments +
            ") -> (tensor<f64> {phantom.squared_norm = \"own\"}, tensor<8xf32> {phantom.updated = @w}" +
            results + ") {\n%q = phantom.squared_norm %x : (tensor<8xf32>) -> tensor<f64>\n%n:" + count +
            " = phantom.update <" + rule.kind + "> %w, %x, (" + names +
            ") learning_rate %lr step %t {weight_decay = 0.01 : f64} : (tensor<8xf32>, " + all +
            ", tensor<f32>, tensor<i64>) -> (" + all + ")\nreturn %q, %n#0" + returned + " : tensor<f64>, " +
            all + "\n}",
        "", "train_step");
    std::vector<double> w = runner.parameter("w"), m(8), v(8);
    for (int step = 1; step <= 2; ++step) {
      std::vector<double> x = numbers(8, step);
      runner.set("x", x);
      runner.set("learning_rate", {0.1});
      runner.set("step", {static_cast<double>(step)});
      runner.run();
      double norm = 0;
      for (int i = 0; i < 8; ++i) {
        double g = x[i] + (rule.kind == "adamw" ? 0 : 0.01 * w[i]);
        norm += x[i] * x[i];
        if (rule.states < 2) {
          m[i] = (rule.states ? 0.9 * m[i] : 0) + g;
          w[i] -= 0.1 * m[i];
          continue;
        }
        m[i] = 0.9 * m[i] + 0.1 * g;
        v[i] = 0.999 * v[i] + 0.001 * g * g;
        if (rule.kind == "adamw")
          w[i] -= 0.1 * 0.01 * w[i];
        w[i] -=
            0.1 * (m[i] / (1 - std::pow(0.9, step))) / (std::sqrt(v[i] / (1 - std::pow(0.999, step))) + 1e-8);
      }
      expectNear(runner.get("own"), {norm}, 1e-12);
      expectNear(runner.parameter("w"), w, 2e-6);
      if (rule.states > 0)
        expectNear(runner.parameter("s0"), m, 1e-6);
      if (rule.states > 1)
        expectNear(runner.parameter("s1"), v, 1e-6);
    }
  }
}

} // namespace
