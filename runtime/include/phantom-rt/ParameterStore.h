//===- ParameterStore.h - The parameters of all ranks ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PARAMETERSTORE_H
#define PHANTOM_RT_PARAMETERSTORE_H

#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/LowRank.h"
#include "phantom-rt/ParameterLayout.h"
#include "phantom-rt/Program.h"
#include "phantom-rt/SourceFiles.h"
#include "llvm/Support/Error.h"

#include <map>

namespace phantom::rt {

/// Carries out init recipes. `prepare` reads sources and factors dense weights,
/// once for all parameters that share them; `fill` may then run on any thread.
class ParameterInitializer {
public:
  static llvm::Expected<ParameterInitializer> prepare(const Program &program, uint64_t seed);

  /// Writes the first value of rank `rank`'s part.
  void fill(const Parameter &parameter, int64_t rank, void *destination) const;

private:
  /// A source in [n_out, n_in] order (or any shape, where loaded as it is).
  struct Dense {
    StorageType element = StorageType::F32;
    std::vector<int64_t> shape;
    const std::byte *bytes = nullptr;
    std::shared_ptr<const void> owner;
  };

  llvm::Expected<const Dense *> dense(const Init &init, ElementType element);
  llvm::Error factor(const Parameter &parameter, const Dense &source);
  llvm::Error prepareOne(const Parameter &parameter);
  void fillUniform(const Parameter &parameter, int64_t rank, void *destination) const;

  int64_t ranks = 1;
  uint64_t seed = 0;
  SourceFiles files;
  std::map<std::string, Dense> sources;           ///< by sourceKey
  std::map<std::string, LowRankFactors> factored; ///< by factorKey
};

/// The parameters and optimizer state of the ranks that have memory here. Each rank holds its own part,
/// replicated parameters included.
class ParameterStore {
public:
  explicit ParameterStore(const Program &program);

  /// Allocates rank `rank`'s memory; to be called by that rank's thread, where the rank is here.
  llvm::Error allocate(int64_t rank);
  bool has(int64_t rank) const { return memory[rank].data() != nullptr; }

  std::byte *address(int64_t rank, size_t parameter) const { return memoryOf(rank) + offset(parameter); }
  /// All parameters of the rank lie in one piece of `bytesPerRank` bytes.
  std::byte *memoryOf(int64_t rank) const { return memory[rank].data(); }
  int64_t offset(size_t parameter) const { return offsets[parameter]; }
  int64_t bytesPerRank() const { return bytes; }

  /// The index of the parameter `name`, or nothing.
  std::optional<size_t> find(llvm::StringRef name) const;

  /// The tensor of all ranks together, which all have memory.
  HostTensor get(size_t parameter) const;

  /// Copies the tensor of all ranks together to the parts of those that have memory; `whole` has the size
  /// that `get` gives.
  void set(size_t parameter, const std::byte *whole);
  /// What `get` returns, in f64.
  std::vector<double> values(size_t parameter) const;
  /// The same of a floating-point parameter, rounded to its type.
  void set(size_t parameter, llvm::ArrayRef<double> whole);

  /// Counts what changes parameters: `set`, `load`, and runs of functions that train.
  uint64_t changes() const { return changeCount; }
  void noteChange() { ++changeCount; }

  /// Writes the global tensors of all parameters, optimizer state included.
  llvm::Error save(llvm::StringRef path) const;

  /// Overwrites all parameters from a file that `save` wrote. Every name must
  /// be there with its global shape; optimizer state may be absent.
  llvm::Error load(llvm::StringRef path);

private:
  const Program &program;
  std::vector<int64_t> offsets;
  int64_t bytes = 0;
  std::vector<AlignedBuffer> memory; ///< by rank
  uint64_t changeCount = 0;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_PARAMETERSTORE_H
