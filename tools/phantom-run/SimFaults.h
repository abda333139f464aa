//===- SimFaults.h - Faults of the double of GPUs ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_SIMFAULTS_H
#define PHANTOM_RUN_SIMFAULTS_H

#include "phantom-rt/GpuSim.h"
#include "llvm/ADT/StringRef.h"

namespace phantom::run {

/// Reads a list of faults with commas between them, for a run on so many ranks:
///   dead-rank=R@N          rank R never comes to its N-th collective; 0: to the communicator
///   slow-rank=R@N[:STEPS]  it comes after so many steps of the scheduler (1000)
///   async-error=R@N        it gets an asynchronous error there
///   failed-allocation=N    the N-th allocation of GPU memory, on any GPU, fails
///   failed-kernel=N        the N-th kernel to run, on any GPU, fails
///   failed-call=ENTRY@N    the N-th call of an entry point returns status 1
llvm::Expected<rt::GpuFaults> parseSimFaults(llvm::StringRef text, int64_t ranks);

} // namespace phantom::run

#endif // PHANTOM_RUN_SIMFAULTS_H
