//===- RankExecutor.h - Runs a function's command list on one rank ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_RANKEXECUTOR_H
#define PHANTOM_RT_RANKEXECUTOR_H

#include "phantom-rt/CommandTiming.h"
#include "phantom-rt/Communicator.h"
#include "phantom-rt/GemmWorkspace.h"
#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"

#include <memory>

namespace phantom::rt {

/// The memory that a function's buffers lie in, as one rank sees it.
struct RankBindings {
  int64_t rank = 0;
  std::vector<std::byte *> arguments; ///< by argument
  std::byte *arena = nullptr;
  std::vector<std::byte *> windows;   ///< by window; the same on all ranks
  std::vector<std::byte *> constants; ///< by constant; never written
  const GemmChoices *gemms = nullptr; ///< outlives the executor
  int64_t threads = 1;                ///< of the rank's GEMMs
};

/// A function bound to addresses: buffers are resolved and GEMMs planned once,
/// by the rank's own thread, which then calls `run` once per step.
class RankExecutor {
public:
  /// `executable` and `function` were verified and outlive the executor.
  static llvm::Expected<std::unique_ptr<RankExecutor>> create(const Executable &executable,
                                                              const Function &function, RankBindings bindings,
                                                              Communicator &communicator);
  ~RankExecutor();

  /// To be called before the first run, and whenever the store's parameters have changed.
  llvm::Error prepareWeights();

  /// Runs all commands. There is no barrier at the end: see FunctionInstance.
  llvm::Error run();

  std::byte *address(const BufferRef &ref) const;

  /// See FunctionInstance::lend; `memory` is not null.
  bool lend(size_t argument, const std::byte *memory);

  GemmWorkspace gemmWorkspace() const;

  /// Where `run` appends what it measures; null: it does not measure.
  std::vector<CommandTiming> *timings = nullptr;

private:
  RankExecutor(const Executable &executable, const Function &function, RankBindings bindings,
               Communicator &communicator);
  llvm::Error bind();
  llvm::Error runCommand(size_t command);
  void noteArguments(const Command &command);

  struct Commands;
  const Executable &executable;
  const Function &function;
  RankBindings bindings;
  Communicator &communicator;
  std::unique_ptr<Commands> commands;
  bool hasRun = false;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_RANKEXECUTOR_H
