//===- LoadGpuApiTest.cpp - Tests of loading NVIDIA's libraries -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/LoadGpuApi.h"
#include "TestSupport.h"

#include <set>

using namespace phantom::rt;
using namespace phantom::rt::test;
using gpu::LibraryName;

namespace {

int anyFunction() { return 0; }

/// Has the libraries of `files`, with every function but those of `absent`.
class FakeOpener : public LibraryOpener {
public:
  void *open(const std::string &name, std::string &problem) override {
    asked.push_back(name);
    if (files.count(name))
      return this;
    problem = name + ": no such file";
    return nullptr;
  }
  void *find(void *, const char *symbol) override {
    return absent.count(symbol) ? nullptr : reinterpret_cast<void *>(anyFunction);
  }

  std::set<std::string> files = {"libcudart.so.13", "libcublasLt.so.13", "libnccl.so.2", "libnvidia-ml.so.1"};
  std::set<std::string> absent;
  std::vector<std::string> asked;
};

} // namespace

TEST(LoadGpuApi, FillsEveryEntry) {
  FakeOpener opener;
  GpuLibraries libraries = loadGpuLibraries(opener, nullptr);
  for (const std::string &problem : libraries.problems)
    EXPECT_EQ(problem, "");
#define PHANTOM_GPU_ENTRY(library, symbol, parameters) EXPECT_TRUE(libraries.api.symbol) << #symbol;
#define PHANTOM_GPU_TEXT(library, symbol) PHANTOM_GPU_ENTRY(library, symbol, )
#include "phantom-rt/GpuEntryPoints.def"
}

TEST(LoadGpuApi, MissingLibrariesSayWhatToInstall) {
  FakeOpener opener;
  opener.files = {"libcudart.so.13", "libcublasLt.so.13"};
  GpuLibraries libraries = loadGpuLibraries(opener, "");
  EXPECT_EQ(libraries.problem(LibraryName::Cudart), "");
  EXPECT_EQ(libraries.problem(LibraryName::Nccl),
            "cannot load libnccl.so.2 (libnccl.so.2: no such file); install NCCL 2.28 or newer, or set "
            "CUDA_HOME to its folder");
  EXPECT_TRUE(contains(libraries.problem(LibraryName::Nvml), "it comes with the NVIDIA driver"));
  EXPECT_TRUE(libraries.api.cudaMalloc);
  EXPECT_FALSE(libraries.api.ncclAllGather);
  EXPECT_FALSE(libraries.api.nvmlErrorString);
}

TEST(LoadGpuApi, AMissingFunctionClearsItsLibrary) {
  FakeOpener opener;
  opener.absent = {"ncclCommWindowRegister"};
  GpuLibraries libraries = loadGpuLibraries(opener, nullptr);
  EXPECT_EQ(libraries.problem(LibraryName::Nccl),
            "libnccl.so has no function ncclCommWindowRegister; install NCCL 2.28 or newer, or set CUDA_HOME "
            "to its folder");
  EXPECT_FALSE(libraries.api.ncclGetVersion);
  EXPECT_TRUE(libraries.api.cublasLtMatmul);
}

TEST(LoadGpuApi, LooksInTheFolderOfCudaHomeFirst) {
  FakeOpener opener;
  opener.files.insert("/cuda/lib64/libcudart.so");
  loadGpuLibraries(opener, "/cuda");
  EXPECT_EQ(std::vector<std::string>(opener.asked.begin(), opener.asked.begin() + 2),
            (std::vector<std::string>{"/cuda/lib64/libcudart.so.13", "/cuda/lib64/libcudart.so"}));
  EXPECT_EQ(opener.asked.back(), "libnvidia-ml.so.1");
}

TEST(LoadGpuApi, OfThisMachineIsWholeOrSaysWhy) {
  GpuLibraries libraries = loadGpuLibraries();
  EXPECT_EQ(libraries.problem(LibraryName::Cudart).empty(), libraries.api.cudaGetDeviceCount != nullptr);
  EXPECT_EQ(libraries.problem(LibraryName::CublasLt).empty(), libraries.api.cublasLtMatmul != nullptr);
  EXPECT_EQ(libraries.problem(LibraryName::Nccl).empty(), libraries.api.ncclAllGather != nullptr);
  EXPECT_EQ(libraries.problem(LibraryName::Nvml).empty(), libraries.api.nvmlInit_v2 != nullptr);
}
