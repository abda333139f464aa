//===- Toolkit.h - The tools of the CUDA toolkit ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_GPU_TOOLKIT_H
#define PHANTOM_LIB_TARGET_GPU_TOOLKIT_H

#include "phantom-rt/GpuKernels.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace mlir::phantom {

/// Kernels for one chip.
struct ChipCode {
  std::string chip; ///< "sm_90"
  std::string ptx, cubin;
};

class CudaToolkit {
public:
  /// In the folder `root`; where that is empty, in that of CUDA_HOME, or where PATH has ptxas.
  static llvm::Expected<CudaToolkit> find(llvm::StringRef root);

  /// The path of libdevice, LLVM IR of mathematical functions; an error where it is missing.
  llvm::Expected<std::string> libdevice() const;

  /// Assembles `code.ptx` to `code.cubin`, and adds what ptxas says of each kernel.
  llvm::Error assemble(ChipCode &code, std::vector<::phantom::rt::KernelResources> &resources) const;

  /// One file of all cubins, and of the first chip's PTX.
  llvm::Expected<std::vector<char>> pack(llvm::ArrayRef<ChipCode> codes) const;

private:
  std::string root; ///< the folder with bin/ptxas
};

} // namespace mlir::phantom

#endif // PHANTOM_LIB_TARGET_GPU_TOOLKIT_H
