//===- RunSummary.h - What a log does not say of its run --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_RUNSUMMARY_H
#define PHANTOM_RT_LIB_REPORT_RUNSUMMARY_H

#include "RunLog.h"

namespace phantom::rt::report {

/// What the log of a run does not say, from the file that `phantom-run train --summary` wrote.
struct RunSummary {
  std::string model, strategy, stopReason;
  std::optional<double> ranks, ghostWidth, batchSize;
  std::optional<double> parameters, flopsPerStep, peakBytes;
  std::optional<double> evalLoss, evalAccuracy; ///< after the last step
};

/// Errors name the file; one is that the file is of another run than the log.
llvm::Expected<RunSummary> readRunSummary(llvm::StringRef path, const RunLog &log);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_RUNSUMMARY_H
