//===- LiveState.h - What a training run does at the moment -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_LIVESTATE_H
#define PHANTOM_RT_LIB_TRAIN_LIVESTATE_H

#include "phantom-rt/Runtime.h"

#include <chrono>
#include <functional>
#include <mutex>

namespace phantom::rt {

/// Where a training run is: noted by the leader, and asked for by any thread, also while ranks hang.
class LiveState {
public:
  explicit LiveState(Runtime &runtime) : runtime(runtime) {}

  void beginStep(int64_t step, int64_t steps);
  void endStep(double loss);
  void beginEvaluation();

  /// A line for the run, and one for each rank of this process.
  std::string text() const;

  /// Gives the text to `sink`; null: writes it to standard error.
  void show(const std::function<void(llvm::StringRef)> &sink) const;

private:
  using Clock = std::chrono::steady_clock;

  Runtime &runtime;
  mutable std::mutex mutex; ///< of the rest
  int64_t present = 0, last = 0;
  bool isEvaluating = false;
  std::optional<double> loss; ///< of the last whole step
  Clock::time_point begin = Clock::now();
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_LIVESTATE_H
