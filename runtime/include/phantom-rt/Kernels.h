//===- Kernels.h - Object code of kernels, linked into the process ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_KERNELS_H
#define PHANTOM_RT_KERNELS_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace phantom::rt {

/// The CPU that object code is for.
struct TargetCpu {
  std::string triple;                ///< "x86_64-pc-linux-gnu"
  std::string name;                  ///< LLVM's, as "znver4"
  std::vector<std::string> features; ///< instruction sets that the code may use, sorted
};

/// The CPU of this machine.
TargetCpu hostCpu();

/// Checks that code for `target` runs on `host`; the error says what it lacks.
llvm::Error checkRunsOn(const TargetCpu &target, const TargetCpu &host);

/// The symbol of a kernel in its object: a KernelFunction.
std::string kernelSymbol(llvm::StringRef kernel);

/// A program that is ready to run, and what keeps its code in memory.
struct CompiledProgram {
  Executable executable;
  std::shared_ptr<llvm::MemoryBuffer> object; ///< relocatable code of the kernels; empty where there are none
  TargetCpu target;                           ///< of `object`
  std::shared_ptr<void> code;                 ///< `object` as linked
};

/// Links `object` into this process, against its C library, and resolves the program's kernels in it.
llvm::Expected<CompiledProgram> linkProgram(Program program, std::shared_ptr<llvm::MemoryBuffer> object,
                                            TargetCpu target);

} // namespace phantom::rt

#endif // PHANTOM_RT_KERNELS_H
