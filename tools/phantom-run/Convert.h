//===- Convert.h - From a dense model to a phantom one ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_CONVERT_H
#define PHANTOM_RUN_CONVERT_H

#include "Options.h"

#include "phantom-rt/ConversionReport.h"

namespace phantom::run {

/// Gives the phantom layers of a new session their calibrated start, where there are calibration data.
/// Reports on what they lose against the dense weights.
llvm::Expected<rt::ConversionReport> startFromDense(const RunOptions &options, const rt::Program &program,
                                                    rt::Session &session);

} // namespace phantom::run

#endif // PHANTOM_RUN_CONVERT_H
