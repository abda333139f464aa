//===- CalibratedStart.h - A phantom layer's start from its inputs ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_CALIBRATEDSTART_H
#define PHANTOM_RT_CALIBRATEDSTART_H

#include "phantom-rt/Moments.h"
#include "phantom-rt/PhantomLayers.h"

namespace phantom::rt {

/// The part of the inputs' mean variance that is added to each variance. It makes up for directions that the
/// calibration rows do not show, in which the start keeps to the dense weight.
inline constexpr double kRidge = 1e-3;

/// What the start of a layer goes by: the inputs' covariance S if the layer has a bias, which takes up
/// differences of the mean, otherwise their second moments, plus kRidge · trace(S) / n on the diagonal.
Matrix weighting(const Moments &inputs, bool hasBias);

/// The parameters whose weight Ŵ is near `weight` W on the layer's inputs: with E = Ŵ - W and S =
/// `weighting`, trace(E·S·Eᵀ) is small.
///
/// The compressor of rank i spans what the truncated singular value decomposition of A·F keeps, with A the
/// blocks W[j, i], j != i, and F·Fᵀ = S[i, i]. Local weights and decompressors are then the least-squares
/// solution for these compressors. Compressor row and decompressor column of a ghost have equal norms, as in
/// the start without inputs.
llvm::Expected<PhantomFactors> calibratedFactors(const PhantomLayer &layer, const Matrix &weight,
                                                 const Matrix &weighting);

/// (W - Ŵ)·mean: what a bias takes up.
std::vector<double> biasFix(const Matrix &weight, const Matrix &composed, llvm::ArrayRef<double> mean);

/// The root of the mean squared error of Ŵy + b̂ against Wy + b over the rows that `inputs` has seen, relative
/// to the root of the mean square of Wy + b. `biasChange` is b̂ - b.
double outputError(const Matrix &weight, llvm::ArrayRef<double> bias, const Matrix &composed,
                   llvm::ArrayRef<double> biasChange, const Moments &inputs);

} // namespace phantom::rt

#endif // PHANTOM_RT_CALIBRATEDSTART_H
