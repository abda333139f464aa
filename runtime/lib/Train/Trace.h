//===- Trace.h - Chrome traces of steps ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_TRACE_H
#define PHANTOM_RT_LIB_TRAIN_TRACE_H

#include "phantom-rt/CommandTiming.h"
#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace phantom::rt {

struct TracedFunction {
  const Function &function;
  llvm::ArrayRef<std::vector<CommandTiming>> timings; ///< by rank
};

/// Writes what the ranks measured as a Chrome trace: a process per rank with a thread per stream, an event
/// per command inside one per run of a function, times in microseconds since `origin`.
llvm::Error writeTrace(llvm::StringRef path, const Program &program, llvm::ArrayRef<TracedFunction> functions,
                       std::chrono::steady_clock::time_point origin);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_TRACE_H
