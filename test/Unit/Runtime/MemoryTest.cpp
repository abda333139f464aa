//===- MemoryTest.cpp - Tests of what memory runs should need -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Memory.h"
#include "TestSupport.h"
#include "phantom-rt/CpuRuntime.h"

#include <cstring>
#include <dlfcn.h>
#include <dnnl.hpp>
#include <sys/mman.h>

using namespace phantom::rt;
using namespace phantom::rt::test;

// The allocators of sanitizers take the place of libc's in another way.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PHANTOM_COUNTS_BLOCKS 0
#else
#define PHANTOM_COUNTS_BLOCKS 1

/// The largest aligned block that the thread has asked for.
static thread_local size_t largestBlock = 0;

/// In libc's place, for oneDNN too.
extern "C" int posix_memalign(void **block, size_t alignment, size_t size) noexcept {
  using Function = int (*)(void **, size_t, size_t);
  static auto original = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "posix_memalign"));
  largestBlock = std::max(largestBlock, size);
  return original(block, alignment, size);
}
#endif

namespace {

GemmCommand gemmOf(int64_t m, int64_t n, int64_t k, bool transposeA, bool transposeB) {
  GemmCommand gemm;
  gemm.m = m, gemm.n = n, gemm.k = k;
  gemm.aRow = transposeA ? 1 : k, gemm.aCol = transposeA ? m : 1;
  gemm.bRow = transposeB ? 1 : n, gemm.bCol = transposeB ? k : 1;
  gemm.cRow = n;
  gemm.a = argument(0), gemm.b = argument(1), gemm.c = argument(2);
  return gemm;
}

bool mayUse(dnnl::cpu_isa isa) {
  return (unsigned(dnnl::get_effective_cpu_isa()) & unsigned(isa)) == unsigned(isa);
}

/// Not those of AVX-512.
bool hasAvx2Kernels() { return mayUse(dnnl::cpu_isa::avx2) && !mayUse(dnnl::cpu_isa::avx512_core); }

/// A function of GEMMs, on one rank.
struct Bound {
  Bound(std::vector<GemmCommand> gemms, GemmKernel kernel) {
    executable.program.batch = 1;
    Function function;
    function.name = "infer";
    std::array<int64_t, 3> sizes{};
    for (const GemmCommand &gemm : gemms) {
      const std::array<int64_t, 3> needed{gemm.m * gemm.k, gemm.k * gemm.n, gemm.m * gemm.n};
      for (size_t i = 0; i < sizes.size(); ++i)
        sizes[i] = std::max(sizes[i], needed[i]);
      function.commands.emplace_back(gemm);
    }
    const ElementType factors = gemms[0].factors == ElementType::BF16 ? ElementType::U16 : ElementType::F32;
    for (size_t i = 0; i < sizes.size(); ++i)
      function.arguments.push_back({Role::Input, "", {i < 2 ? factors : ElementType::F32, {sizes[i]}}});
    executable.program.functions = {function};
    CpuRuntimeOptions options;
    options.gemms.forced = kernel;
    runtime = value(CpuRuntime::create(executable, options));
    instance = value(runtime->bind(executable.program.functions[0]));
  }

  void run() {
    EXPECT_SUCCESS(runtime->team().run([&](int64_t rank) { return instance->run(rank); }));
  }

  Executable executable;
  std::unique_ptr<CpuRuntime> runtime;
  std::unique_ptr<FunctionInstance> instance;
};

} // namespace

TEST(GemmWorkspace, OneBufferHoldsWidenedFactors) {
  std::vector<GemmCommand> gemms{gemmOf(8, 16, 32, false, true), gemmOf(16, 64, 32, true, false)};
  EXPECT_EQ(Bound(gemms, GemmKernel::OneDnnSgemm).instance->gemmWorkspace().scratch, 0);
  for (GemmCommand &gemm : gemms)
    gemm.factors = ElementType::BF16;
  const GemmWorkspace workspace = Bound(gemms, GemmKernel::OneDnnSgemm).instance->gemmWorkspace();
  if (!multipliesBFloat16()) {
    EXPECT_EQ(workspace.scratch, 4 * (16 * 32 + 32 * 64));
  }
}

TEST(GemmWorkspace, AddsScratchAndSharesWhatLibrariesTake) {
  GemmWorkspace workspace{100, 30};
  workspace += {50, 20};
  EXPECT_EQ(workspace.scratch, 150);
  EXPECT_EQ(workspace.libraries, 30);
  workspace += {0, 40};
  EXPECT_EQ(workspace.total(), 190);
}

#if PHANTOM_COUNTS_BLOCKS
/// What oneDNN allocates in a GEMM, where it is more than a few pages.
TEST(GemmWorkspace, IsWhatOneDnnAllocates) {
  for (GemmKernel kernel : {GemmKernel::OneDnn, GemmKernel::OneDnnSgemm})
    for (bool transposeA : {false, true})
      for (bool transposeB : {false, true})
        for (auto [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{64, 1024, 512},
                               {1024, 64, 512},
                               {512, 600, 8},
                               {600, 700, 300},
                               {1024, 2048, 512},
                               {2048, 1024, 100},
                               {10100, 300, 40}}) {
          Bound bound({gemmOf(m, n, k, transposeA, transposeB)}, kernel);
          bound.run();
          largestBlock = 0;
          bound.run();
          const int64_t needed = bound.instance->gemmWorkspace().libraries, few = 1 << 16;
          EXPECT_LE(largestBlock, std::max(needed, few)) << m << "x" << n << "x" << k;
          if (hasAvx2Kernels() && std::min(m, n) >= 600) {
            EXPECT_EQ(largestBlock, needed) << m << "x" << n << "x" << k;
          }
        }
}
#endif

TEST(GemmWorkspace, OfOpenBlasIsTwoBlocks) {
  const int64_t block = hasAvx2Kernels() ? 320 : 448;
  GemmCommand large = gemmOf(2048, 4096, 1024, false, true), small = gemmOf(8, 16, 32, false, true);
  EXPECT_EQ(Bound({small, large}, GemmKernel::OpenBlas).instance->gemmWorkspace().libraries,
            4 * block * (block + 2048));
}

TEST(Memory, NeedOfSeveralFunctions) {
  Program program;
  program.ranks = 3;
  program.windows = {Window{"g", 1000}};
  program.constants = {{1, 2, 3}};
  Parameter weight, state;
  weight.type = {ElementType::F32, {10}};
  state.type = {ElementType::F32, {20}};
  state.stateOf = "weight";
  program.parameters = {weight, state};
  Function step, evaluate;
  step.arenaBytes = 500;
  step.arguments = {{Role::Input, "x", {ElementType::F32, {4}}}, {Role::Target, "", {ElementType::I64, {1}}}};
  evaluate.arenaBytes = 70;
  evaluate.arguments = {{Role::Input, "x", {ElementType::F32, {2}}}};
  const MemoryNeed need = memoryNeed(program, {{&step, {100, 30}}, {&evaluate, {50, 20}}});
  EXPECT_EQ(need.parameters, 3 * 40);
  EXPECT_EQ(need.optimizer, 3 * 80);
  EXPECT_EQ(need.activations, 3 * 570);
  EXPECT_EQ(need.gemmWorkspace, 3 * 180);
  EXPECT_EQ(need.windows, 1000);
  EXPECT_EQ(need.constants, 3);
  EXPECT_EQ(need.batch, 16 + 8 + 8);
  EXPECT_EQ(need.total(), 120 + 240 + 1710 + 540 + 1000 + 3 + 32);
}

TEST(Memory, PeakIsOwnMemoryOnly) {
  constexpr int64_t size = int64_t(64) << 20;
  TemporaryFolder folder;
  const std::string path = folder.write("zeros", std::string(size, '\0'));
  const int64_t before = peakOwnBytes();
  ASSERT_GT(before, 0);
  {
    std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(path.c_str(), "r"), std::fclose);
    void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, ::fileno(file.get()), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    EXPECT_LT(peakOwnBytes(), before + size / 4) << "pages of files do not count";
    ::munmap(mapped, size);
  }
}

TEST(Memory, PeakStays) {
  const int64_t before = peakOwnBytes(), size = before + (int64_t(64) << 20);
  value(AlignedBuffer::create(size));
  const int64_t peak = peakOwnBytes();
  EXPECT_GE(peak, size);
  EXPECT_EQ(peakOwnBytes(), peak);
}
