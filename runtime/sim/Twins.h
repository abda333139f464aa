//===- Twins.h - Kernels run by their twins ---------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_SIM_TWINS_H
#define PHANTOM_SIM_TWINS_H

#include "phantom-rt/KernelTwin.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace phantom::rt::sim {

struct LoadedLibrary {
  std::shared_ptr<const std::vector<KernelTwin>> twins;
};

struct LoadedKernel {
  const LoadedLibrary *library = nullptr;
  const KernelTwin *twin = nullptr;
};

/// The kernels of an image that registerTwins made; null: it is another.
std::shared_ptr<const std::vector<KernelTwin>> findTwins(const void *image);

struct TwinLaunch {
  const KernelTwin *twin = nullptr;
  std::vector<void *> arguments; ///< addresses of device memory
  int64_t blocks = 1, threads = 1;
  int64_t dynamicBytes = 0; ///< workgroup memory that the launch adds
};

/// Runs all threads of a launch on copies of its arguments, and copies back what they wrote; `host` says
/// where an address of device memory is. With `twice`, once more in another order, which must give the same.
/// Returns what is wrong with the kernel; "": nothing.
std::string runTwin(const TwinLaunch &launch, const std::function<std::byte *(const void *)> &host,
                    bool twice, std::mt19937_64 &random);

} // namespace phantom::rt::sim

#endif // PHANTOM_SIM_TWINS_H
