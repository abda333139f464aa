//===- GpuChips.h - The GPUs that kernels are compiled for -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_GPUCHIPS_H
#define PHANTOM_CONVERSION_GPUCHIPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir::phantom {

/// A generation of GPUs.
struct GpuChip {
  llvm::StringRef name; ///< "sm_90"
  unsigned ptxVersion;  ///< the oldest that knows it, but 80 at least: 86 is version 8.6
};

/// All that kernels can be compiled for, oldest first.
llvm::ArrayRef<GpuChip> gpuChips();

/// The chip with that name, or null.
const GpuChip *findGpuChip(llvm::StringRef name);

/// The newest whose machine code runs on GPUs of that compute capability, or null: they need PTX.
const GpuChip *findGpuChip(int major, int minor);

/// "sm_80, sm_90, …", for messages.
std::string gpuChipNames();

} // namespace mlir::phantom

#endif // PHANTOM_CONVERSION_GPUCHIPS_H
