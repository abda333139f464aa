//===- GpuRuntime.h - A program loaded on GPUs ------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GPURUNTIME_H
#define PHANTOM_RT_GPURUNTIME_H

#include "phantom-rt/LoadGpuApi.h"
#include "phantom-rt/Runtime.h"
#include "llvm/ADT/ArrayRef.h"

#include <functional>
#include <optional>

namespace phantom::rt {

/// How the ranks of a GPU program exchange.
enum class GpuExchange : uint8_t {
  Nccl,     ///< each rank has a GPU of its own
  Loopback, ///< all ranks share the first GPU, and copy within its memory
};

/// What the measurement of a product's kernels came to. They are numbered in the order in which cuBLASLt
/// proposes them.
struct GemmMeasurement {
  std::string gemm;                   ///< "GEMM 64x512x1024 (its place in the model)"
  int64_t kernels = 0;                ///< as many were proposed
  int64_t fastest = 0;                ///< this one is used, from 0 on
  double seconds = 0;                 ///< of the fastest
  std::optional<double> firstSeconds; ///< of number 0; nothing where that does not run
};

struct GpuRuntimeOptions {
  uint64_t seed = 0;
  std::string parameterFile; ///< not empty: overwrite the parameters from it
  GpuExchange exchange = GpuExchange::Nccl;
  bool useGraphs = true; ///< capture a function after its first run, and replay it from then on
  /// Measure which of cuBLASLt's kernels computes each product fastest, when a function is bound. Rank 0's
  /// times decide for all. Two runs may choose differently.
  bool measureGemms = false;
  std::function<void(const GemmMeasurement &)> onMeasured; ///< may be null; called by rank 0's thread
  bool verify = true; ///< false: for tests of what faults in a program do
  RankTeamOptions team;
};

/// Checks that the libraries, the driver and the GPUs are there for a run on so many ranks: what can be said
/// before a model is compiled.
llvm::Error checkGpus(const GpuLibraries &libraries, int64_t ranks, GpuExchange exchange);

struct ComputeCapability {
  int major = 0, minor = 0;
};

/// What the GPU of that number can run. The libraries can be used.
llvm::Expected<ComputeCapability> computeCapability(const GpuLibraries &libraries, int device);

/// The same of this process's part of a run on several processes. Returns its GPU: the one that `localRank`
/// numbers, or the only one that it sees, since launchers may show each process its own.
llvm::Expected<int> checkGpuOfProcess(const GpuLibraries &libraries, int64_t ranks, int64_t localRank);

namespace gpu {
class GpuRank;
class MeasuredMatmuls;
} // namespace gpu

/// The ranks of a program for GPUs that are here, each with a GPU (or all with one), two streams, windows and
/// parameters there. After an error it cannot run any more.
class GpuRuntime : public Runtime {
public:
  /// `image` is the code of the kernels (a fatbin, a cubin, PTX that ends in a zero byte, or of the double's
  /// own kind), with an entry for each of the program's kernels; an entry takes one address per buffer.
  /// `program`, `libraries` and `image` outlive the runtime.
  static llvm::Expected<std::unique_ptr<GpuRuntime>> create(const Program &program,
                                                            llvm::ArrayRef<char> image,
                                                            const GpuLibraries &libraries,
                                                            const GpuRuntimeOptions &options);
  ~GpuRuntime() override;

  llvm::Error fetchParameters() override;
  uint64_t gemmChoicesHash() const override { return choicesHash; }
  /// Exchanges overlap with other work on the GPU, and the host sees only the end.
  bool timesExchanges() const override { return false; }
  std::unique_ptr<EnergySource> deviceEnergy() const override;
  llvm::Expected<std::unique_ptr<FunctionInstance>> bind(const Function &function) override;

private:
  friend class GpuFunctionInstance;
  GpuRuntime(const Program &program, const GpuLibraries &libraries, const GpuRuntimeOptions &options);
  llvm::Error load(llvm::ArrayRef<char> image);
  llvm::Error shareNcclId(gpu::UniqueId &id);
  llvm::Error onRanks(llvm::function_ref<llvm::Error(gpu::GpuRank &)> job);

  const gpu::GpuApi &api;
  const GpuLibraries &libraries;
  const GpuRuntimeOptions options;
  std::optional<int> ownGpu;                       ///< of this process's rank among processes
  std::vector<std::unique_ptr<gpu::GpuRank>> gpus; ///< by rank; of those that are here
  std::vector<uint64_t> uploaded;                  ///< by rank: the store's changes that the GPU has
  bool trained = false;                            ///< on the GPUs, since the host's copy was current
  std::unique_ptr<gpu::MeasuredMatmuls> measured;  ///< of all functions that were bound
  uint64_t choicesHash = 0;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_GPURUNTIME_H
