//===- LoadGpuApi.cpp - Loads NVIDIA's libraries --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/LoadGpuApi.h"

#include <cstdlib>
#include <dlfcn.h>
#include <vector>

namespace phantom::rt {

using gpu::GpuApi;
using gpu::LibraryName;

LibraryOpener::~LibraryOpener() = default;

void *LibraryOpener::open(const std::string &name, std::string &problem) {
  void *library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    if (const char *text = ::dlerror())
      problem = text;
  return library;
}

void *LibraryOpener::find(void *library, const char *symbol) { return ::dlsym(library, symbol); }

namespace {

struct LibraryFile {
  LibraryName name;
  const char *file;    ///< without the version
  const char *version; ///< of the file's name
  const char *advice;
};

constexpr LibraryFile libraryFiles[] = {
    {LibraryName::Cudart, "libcudart.so", ".13",
     "install the CUDA toolkit 13, or set CUDA_HOME to its folder"},
    {LibraryName::CublasLt, "libcublasLt.so", ".13",
     "install cuBLAS of the CUDA toolkit 13, or set CUDA_HOME to its folder"},
    {LibraryName::Nccl, "libnccl.so", ".2", "install NCCL 2.28 or newer, or set CUDA_HOME to its folder"},
    {LibraryName::Nvml, "libnvidia-ml.so", ".1", "it comes with the NVIDIA driver"},
};

/// The first that opens of the folder's files and the system's, with the version before without.
void *openLibrary(LibraryOpener &opener, const LibraryFile &library, const char *cudaHome,
                  std::string &problem) {
  std::vector<std::string> folders;
  if (cudaHome && *cudaHome)
    for (const char *folder : {"/lib64/", "/lib/", "/"})
      folders.push_back(cudaHome + std::string(folder));
  folders.push_back("");
  std::string first;
  for (const std::string &folder : folders)
    for (const char *version : {library.version, ""}) {
      std::string why;
      if (void *opened = opener.open(folder + library.file + version, why))
        return opened;
      // What the system says of the name with the version: nothing else need be there.
      if (folder.empty() && first.empty())
        first = why;
    }
  problem =
      "cannot load " + std::string(library.file) + library.version + " (" + first + "); " + library.advice;
  return nullptr;
}

/// Fills the entries of one library.
class EntryFinder {
public:
  EntryFinder(LibraryOpener &opener, const LibraryFile &file, void *library)
      : opener(opener), file(file), library(library) {}

  template <typename Function> void find(LibraryName name, const char *symbol, Function &entry) {
    if (name != file.name || !missing.empty())
      return;
    entry = reinterpret_cast<Function>(opener.find(library, symbol));
    if (!entry)
      missing = symbol;
  }

  std::string missing; ///< the first symbol that the library lacks

private:
  LibraryOpener &opener;
  const LibraryFile &file;
  void *library;
};

void clearEntries(GpuApi &api, LibraryName library) {
#define PHANTOM_GPU_ENTRY(name, symbol, parameters)                                                          \
  if (LibraryName::name == library)                                                                          \
    api.symbol = nullptr;
#define PHANTOM_GPU_TEXT(name, symbol) PHANTOM_GPU_ENTRY(name, symbol, )
#include "phantom-rt/GpuEntryPoints.def"
}

/// Why the library cannot be used; empty: its entries are set.
std::string loadLibrary(LibraryOpener &opener, const LibraryFile &file, const char *cudaHome, GpuApi &api) {
  std::string problem;
  void *library = openLibrary(opener, file, cudaHome, problem);
  if (!library)
    return problem;
  EntryFinder finder(opener, file, library);
#define PHANTOM_GPU_ENTRY(name, symbol, parameters) finder.find(LibraryName::name, #symbol, api.symbol);
#define PHANTOM_GPU_TEXT(name, symbol) PHANTOM_GPU_ENTRY(name, symbol, )
#include "phantom-rt/GpuEntryPoints.def"
  if (finder.missing.empty())
    return "";
  clearEntries(api, file.name);
  return std::string(file.file) + " has no function " + finder.missing + "; " + file.advice;
}

} // namespace

GpuLibraries loadGpuLibraries(LibraryOpener &opener, const char *cudaHome) {
  GpuLibraries libraries;
  for (const LibraryFile &file : libraryFiles)
    libraries.problems[size_t(file.name)] = loadLibrary(opener, file, cudaHome, libraries.api);
  return libraries;
}

GpuLibraries loadGpuLibraries() {
  LibraryOpener system;
  return loadGpuLibraries(system, std::getenv("CUDA_HOME"));
}

} // namespace phantom::rt
