//===- LoadGpuApi.h - Loads NVIDIA's libraries ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LOADGPUAPI_H
#define PHANTOM_RT_LOADGPUAPI_H

#include "phantom-rt/GpuApi.h"
#include "llvm/Support/Error.h"

#include <array>
#include <string>

namespace phantom::rt {

/// How shared libraries are opened: by the system's loader, or by a test.
class LibraryOpener {
public:
  virtual ~LibraryOpener();
  /// Null, and why in `problem`, where there is no such library.
  virtual void *open(const std::string &name, std::string &problem);
  /// Null where the library does not have it.
  virtual void *find(void *library, const char *symbol);
};

/// The table, and for each library (by gpu::LibraryName) why its entries are null; empty: they are set.
struct GpuLibraries {
  gpu::GpuApi api;
  std::array<std::string, 4> problems;

  const std::string &problem(gpu::LibraryName name) const { return problems[size_t(name)]; }
};

/// Opens the CUDA runtime, cuBLASLt, NCCL and NVML: in the folder CUDA_HOME, if it is set, and then where the
/// system's loader looks. A library that is missing, or lacks a function, leaves its entries null; a problem
/// says which, and what to install.
GpuLibraries loadGpuLibraries(LibraryOpener &opener, const char *cudaHome);
GpuLibraries loadGpuLibraries();

} // namespace phantom::rt

#endif // PHANTOM_RT_LOADGPUAPI_H
