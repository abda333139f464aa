//===- MeasureGemms.h - The fastest library for each GEMM --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MEASUREGEMMS_H
#define PHANTOM_RT_MEASUREGEMMS_H

#include "phantom-rt/GemmChoices.h"
#include "phantom-rt/RankTeam.h"

namespace phantom::rt {

/// Times every GEMM shape of the program by every kernel that can compute it, on as many ranks at once as the
/// program has and this machine has CPUs for. Rank 0's medians decide. Takes up to about 20 ms per shape and
/// kernel, or three runs where these are longer. Two calls may choose differently.
llvm::Expected<std::map<GemmShape, GemmKernel>> measureGemms(const Program &program,
                                                             const RankTeamOptions &options);

} // namespace phantom::rt

#endif // PHANTOM_RT_MEASUREGEMMS_H
