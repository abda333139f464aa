//===- StepLog.h - What a training run says about its steps ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_STEPLOG_H
#define PHANTOM_RT_STEPLOG_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace phantom::rt {

/// One line of log.jsonl. Bytes are of the rank with the most, seconds of
/// communication the mean over ranks.
struct StepRecord {
  int64_t step = 0; ///< 1 in the first step
  double loss = 0;
  std::optional<double> gradNorm;
  double learningRate = 0;
  double samplesPerSecond = 0;
  double stepSeconds = 0;    ///< batch assembly to the barrier at the end
  int64_t commBytes = 0;     ///< counted at the access to peers' memory
  double modelCommBytes = 0; ///< ring formula
  /// Exposed: inside waits for exchanges; nothing where the device does not time them.
  std::optional<double> commSeconds;
  std::optional<double> commSkewSeconds; ///< the part of it that a rank waited because a peer was late
  std::optional<double> energyJoules;    ///< counted, of all ranks together
  std::string energyReason;              ///< why there is no `energyJoules`
  double modelEnergyJoules = 0;          ///< of all ranks together
  std::optional<double> evalLoss,
      evalAccuracy; ///< on the held-out data, of steps after which it is evaluated
};

/// Writes one JSON object per step, flushed per line.
class StepLog {
public:
  /// An empty path: no log. With `keptSteps`, the lines of a log that is there up to that step stay.
  static llvm::Expected<std::unique_ptr<StepLog>> open(llvm::StringRef path, int64_t keptSteps = 0);
  llvm::Error write(const StepRecord &record);

private:
  std::string path;
  std::unique_ptr<llvm::raw_fd_ostream> stream;
};

/// A progress line on standard error: redrawn in place on a terminal; plain
/// lines, about one for each tenth of the run, elsewhere.
class Progress {
public:
  /// `firstStep` steps were done by another process.
  Progress(bool enabled, int64_t steps, int64_t firstStep = 0);
  ~Progress();
  void show(const StepRecord &record);

private:
  bool enabled, terminal, drawn = false;
  int64_t steps, firstStep, lastTenth = -1;
  std::chrono::steady_clock::time_point begin, lastDraw;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_STEPLOG_H
