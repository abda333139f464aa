//===- GpuKernels.h - Programs for GPUs and their code ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GPUKERNELS_H
#define PHANTOM_RT_GPUKERNELS_H

#include "phantom-rt/KernelTwin.h"
#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace phantom::rt {

/// What ptxas says of a kernel on one chip.
struct KernelResources {
  std::string kernel, chip;
  int64_t registers = 0; ///< of a thread
  int64_t spillBytes = 0, stackBytes = 0;
};

/// A program for GPUs. Its kernels are entries of `image` by their names in Program::kernels.
struct CompiledGpuProgram {
  Program program;
  std::vector<char> image;                       ///< for cudaLibraryLoadData: a fatbin, or PTX that ends in 0
  std::vector<KernelResources> resources;        ///< of each kernel on each chip, where the image is a fatbin
  std::vector<KernelTwin> twins;                 ///< of the kernels, still without code
  std::shared_ptr<llvm::MemoryBuffer> twinsCode; ///< relocatable code for this machine; null without twins
};

struct LinkedTwins {
  std::vector<KernelTwin> twins;
  std::shared_ptr<void> code; ///< keeps them valid
};

/// Links the twins' code into this process. `barrier` is called where a kernel has a barrier.
llvm::Expected<LinkedTwins> linkTwins(const CompiledGpuProgram &compiled, void (*barrier)(TwinThread *));

} // namespace phantom::rt

#endif // PHANTOM_RT_GPUKERNELS_H
