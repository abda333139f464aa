//===- Report.h - The command line of phantom-run report --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_REPORT_H
#define PHANTOM_RUN_REPORT_H

#include "phantom-rt/Report.h"

namespace phantom::run {

/// Whether the command line that was parsed is that of `phantom-run report`.
bool isReport();

/// Its flags, checked as far as that goes without the files.
llvm::Expected<rt::ReportOptions> readReportFlags();

} // namespace phantom::run

#endif // PHANTOM_RUN_REPORT_H
