//===- Ranges.h - Named ranges for profilers --------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_RANGES_H
#define PHANTOM_RT_LIB_CUDA_RANGES_H

#include <string>

namespace phantom::rt::gpu {

/// What the calling thread does while it lives, as a profiler shows it: a range of NVTX. Without a profiler,
/// or where the build has not found NVTX, it does nothing.
class Range {
public:
  /// Empty: no range.
  explicit Range(const std::string &name);
  ~Range();
  Range(const Range &) = delete;
  Range &operator=(const Range &) = delete;

private:
  const bool isOpen;
};

} // namespace phantom::rt::gpu

#endif // PHANTOM_RT_LIB_CUDA_RANGES_H
