//===- GhostWidths.h - How many ghosts each layer gets from a budget ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GHOSTWIDTHS_H
#define PHANTOM_RT_GHOSTWIDTHS_H

#include "phantom-rt/PhantomLayers.h"

namespace phantom::rt {

/// What a budget counts, of one rank.
enum class BudgetUnit : uint8_t {
  Bytes,      ///< sent in a forward pass, by the ring model
  Flops,      ///< of the matrix products of a forward pass
  Parameters, ///< held, without the own blocks of decompressors, which are zero
};

/// What the program costs. Its functions are "infer" only.
double costOf(const Program &program, BudgetUnit unit);

/// What each ghost per rank of a layer adds to the cost of the program, in which the layer has none.
double costPerGhost(const Program &program, const PhantomLayer &layer, BudgetUnit unit);

/// By how much the first, second, ... ghost per rank lowers the layer's squared error, as a part of its
/// weight's square; up to the width of a shard. Not ascending. The weight is seen through a root of
/// `weighting`, where that is not null, as in `calibratedFactors`.
llvm::Expected<std::vector<double>> ghostGains(const PhantomLayer &layer, const Matrix &weight,
                                               const Matrix *weighting);

/// A layer that wants ghosts.
struct GhostDemand {
  std::vector<double> gains; ///< of each further ghost, not ascending
  double cost = 0;           ///< of each
};

/// The widths of all layers: again and again one ghost more where it gains most per cost, while the budget
/// has room for it. Gains that are rounding errors are left out. Ties go to the first layer.
std::vector<int64_t> chooseGhostWidths(llvm::ArrayRef<GhostDemand> layers, double budget);

} // namespace phantom::rt

#endif // PHANTOM_RT_GHOSTWIDTHS_H
