//===- ConversionTest.cpp - Tests of what conversions are made of ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/CalibratedStart.h"
#include "phantom-rt/GhostWidths.h"

#include <cmath>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// Numbers between -1 and 1 without a pattern, shifted.
Matrix numbers(int64_t rows, int64_t columns, double shift = 0) {
  Matrix result(rows, columns);
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] = std::sin(double(i * i + 3 * i + 1)) + shift;
  return result;
}

void expectNear(const Matrix &actual, const Matrix &expected, double tolerance) {
  ASSERT_EQ(actual.rows, expected.rows);
  ASSERT_EQ(actual.columns, expected.columns);
  for (size_t i = 0; i < expected.values.size(); ++i)
    EXPECT_NEAR(actual.values[i], expected.values[i], tolerance) << "element " << i;
}

TEST(Matrix, DecompositionComposesAgain) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>(7, 4), {4, 7}, {5, 5}}) {
    const Matrix matrix = numbers(rows, columns);
    SingularValues svd = value(decompose(matrix));
    for (int64_t i = 0; i < svd.left.rows; ++i)
      for (int64_t q = 0; q < svd.left.columns; ++q)
        svd.left.row(i)[q] *= svd.values[q];
    expectNear(multiply(svd.left, svd.right), matrix, 1e-13);
    EXPECT_EQ(value(singularValues(matrix)).size(), 4u + (rows == columns));
  }
}

TEST(Matrix, CholeskyFactorsDivide) {
  const Matrix root = numbers(4, 4);
  Matrix product = multiplyTransposed(root, root);
  const Matrix factor = value(choleskyFactor(product)), x = numbers(3, 4);
  expectNear(multiplyTransposed(factor, factor), product, 1e-13);
  Matrix divided = multiply(x, product);
  divideByProduct(divided, factor);
  expectNear(divided, x, 1e-12);
  divided = multiply(x, factor);
  divideByFactor(divided, factor);
  expectNear(divided, x, 1e-12);
  product.row(2)[2] = -1;
  EXPECT_TRUE(contains(message(choleskyFactor(product)), "not positive definite"));
}

TEST(Moments, PiecesAreTheWhole) {
  const Matrix rows = numbers(50, 3);
  Moments whole(3), pieces(3), rest(3);
  whole.add(rows);
  pieces.add(block(rows, 0, 1, 0, 3));
  pieces.add(block(rows, 1, 30, 0, 3));
  rest.add(block(rows, 31, 19, 0, 3));
  pieces.add(rest);
  pieces.add(Moments(3));
  EXPECT_EQ(pieces.rows(), 50);
  for (int64_t j = 0; j < 3; ++j)
    EXPECT_NEAR(pieces.mean()[j], whole.mean()[j], 1e-14);
  expectNear(pieces.covariance(), whole.covariance(), 1e-14);
}

TEST(Moments, ALargeMeanCancelsNothing) {
  Moments near(3), far(3);
  near.add(numbers(20, 3));
  far.add(numbers(10, 3, 1e6));
  Matrix rest = numbers(20, 3, 1e6);
  far.add(block(rest, 10, 10, 0, 3));
  expectNear(far.covariance(), near.covariance(), 1e-9);
}

TEST(CalibratedStart, AllGhostsAreTheWeight) {
  PhantomLayer layer;
  layer.ranks = 2;
  layer.ghostWidth = 3;
  layer.in = layer.out = 6;
  const Matrix weight = numbers(6, 6);
  Moments inputs(6);
  inputs.add(numbers(40, 6, 0.5));
  for (bool hasBias : {false, true}) {
    PhantomFactors factors = value(calibratedFactors(layer, weight, weighting(inputs, hasBias)));
    expectNear(composeWeight(layer, factors), weight, 1e-12);
  }
  EXPECT_EQ(outputError(weight, std::vector<double>(6), weight, std::vector<double>(6), inputs), 0);
}

TEST(GhostWidths, GoWhereTheyGainMostPerCost) {
  const GhostDemand steep{{8, 1, 0.5}, 2}, flat{{3, 3, 3}, 1};
  using Widths = std::vector<int64_t>;
  EXPECT_EQ(chooseGhostWidths({steep, flat}, 0), (Widths{0, 0}));
  EXPECT_EQ(chooseGhostWidths({steep, flat}, 2), (Widths{1, 0}));
  EXPECT_EQ(chooseGhostWidths({steep, flat}, 1), (Widths{0, 1})); // what does not fit leaves room for others
  EXPECT_EQ(chooseGhostWidths({steep, flat}, 5), (Widths{1, 3}));
  EXPECT_EQ(chooseGhostWidths({steep, flat}, 100), (Widths{3, 3}));
  EXPECT_EQ(chooseGhostWidths({flat, flat}, 1), (Widths{1, 0}));
}

TEST(GhostWidths, RoundingErrorsAreNoGain) {
  EXPECT_EQ(chooseGhostWidths({GhostDemand{{1, 1e-3, 1e-14}, 1}}, 100), std::vector<int64_t>{2});
  EXPECT_EQ(chooseGhostWidths({GhostDemand{{0, 0}, 1}}, 100), std::vector<int64_t>{0});
}

TEST(PhantomLayers, AWeightWithoutSourceIsAnError) {
  Program program;
  program.ranks = 2;
  Parameter local;
  local.name = "fc.local";
  local.layout = Layout::Stacked;
  local.storedShape = {3, 2};
  local.type = {ElementType::F32, {3, 2}};
  local.init.kind = InitKind::Uniform;
  program.parameters.push_back(local);
  const std::vector<PhantomLayer> layers = findPhantomLayers(program);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].in, 4);
  EXPECT_EQ(layers[0].out, 6);
  SourceFiles files;
  EXPECT_TRUE(contains(message(readDenseWeight(program, layers[0], files)), "has no values in the model"));
}

} // namespace
