//===- Calibration.h - Moments of activations over calibration data ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_CALIBRATION_H
#define PHANTOM_RT_CALIBRATION_H

#include "phantom-rt/DataSet.h"
#include "phantom-rt/Moments.h"
#include "phantom-rt/RankTeam.h"

#include <map>

namespace phantom::rt {

/// The moments of a function's outputs, by the output's name. Their rows are what the last dimension counts.
using ActivationMoments = std::map<std::string, Moments, std::less<>>;

/// The number of rows of the first input's file.
llvm::Expected<int64_t> countRows(const DataFiles &data);

/// Runs "infer" of a program of one rank on the rows [first, last) of the data, whole batches, and adds its
/// outputs to `moments`. A value that is not finite, in the data or in an output, is an error that names it.
llvm::Error addActivations(const Executable &executable, const DataFiles &data, int64_t first, int64_t last,
                           const RankTeamOptions &team, ActivationMoments &moments);

} // namespace phantom::rt

#endif // PHANTOM_RT_CALIBRATION_H
