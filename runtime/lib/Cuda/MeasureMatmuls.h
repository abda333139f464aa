//===- MeasureMatmuls.h - The fastest kernel for each product ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_MEASUREMATMULS_H
#define PHANTOM_RT_LIB_CUDA_MEASUREMATMULS_H

#include "GpuRank.h"
#include "Matmul.h"
#include "phantom-rt/GpuRuntime.h"

#include <map>

namespace phantom::rt::gpu {

/// The kernels of products that were measured.
class MeasuredMatmuls {
public:
  /// Null: the product was not measured.
  const MatmulKernel *find(const MatmulShape &product) const {
    auto found = kernels.find(product);
    return found == kernels.end() ? nullptr : &found->second;
  }
  void add(const MatmulShape &product, const MatmulKernel &kernel) { kernels.emplace(product, kernel); }

private:
  std::map<MatmulShape, MatmulKernel> kernels;
};

/// "GEMM 64x32x16 (model.onnx:fc1)".
std::string describe(const GemmCommand &command);

/// Times the kernels that cuBLASLt proposes for the product of `command` on the rank's GPU, while nothing
/// else runs there, and gives the fastest one. It reads the command's buffers, at `address`, and may write to
/// those in the arena; what it writes elsewhere goes to memory of its own. A kernel that cannot be queued is
/// left out; if none can, that is an error. `result` gets what was found.
llvm::Expected<MatmulKernel> measureMatmul(GpuRank &rank, const GemmCommand &command,
                                           llvm::function_ref<std::byte *(const BufferRef &)> address,
                                           GemmMeasurement &result);

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_MEASUREMATMULS_H
