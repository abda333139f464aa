//===- LiveState.cpp - What a training run does at the moment -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LiveState.h"

#include "CommandLabel.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"

#include <unistd.h>

using namespace llvm;

namespace phantom::rt {

void LiveState::beginStep(int64_t step, int64_t steps) {
  std::lock_guard<std::mutex> lock(mutex);
  present = step;
  last = steps;
  isEvaluating = false;
  begin = Clock::now();
}

void LiveState::endStep(double stepLoss) {
  std::lock_guard<std::mutex> lock(mutex);
  loss = stepLoss;
}

void LiveState::beginEvaluation() {
  std::lock_guard<std::mutex> lock(mutex);
  isEvaluating = true;
  begin = Clock::now();
}

/// The function that `command` is one of.
static StringRef functionOf(const Program &program, const Command *command) {
  for (const Function &function : program.functions)
    if (command >= function.commands.data() && command < function.commands.data() + function.commands.size())
      return function.name;
  return "";
}

static std::string describe(const Program &program, const RankPosition &position) {
  const Command *command = position.command.load(std::memory_order_relaxed);
  const std::string wait = position.wait();
  if (!command) {
    if (!wait.empty())
      return "waits for " + wait;
    // A GPU works through the commands of a run by itself.
    return program.device == DeviceKind::Gpu ? "runs on its GPU, or is between two runs" : "between two runs";
  }
  const std::string place = ("in '" + functionOf(program, command) + "': ").str();
  if (!wait.empty())
    return place + "waits for " + wait;
  const CommandLabel label = labelOf(program, *command);
  const bool isNamed = StringRef(label.name).starts_with(label.category);
  return place + (isNamed ? "" : label.category.str() + " ") + label.name +
         (label.location.empty() ? "" : " at " + label.location);
}

std::string LiveState::text() const {
  std::string text;
  {
    std::lock_guard<std::mutex> lock(mutex);
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    text = isEvaluating ? formatv("evaluation after step {0}, since {1:f3} s", present, seconds).str()
                        : formatv("step {0} of {1}, since {2:f3} s", present, last, seconds).str();
    text += loss ? formatv("; loss of the last step {0}", *loss).str() : "; no step is done yet";
  }
  for (int64_t rank = 0; rank < runtime.program().ranks; ++rank) {
    if (!runtime.team().isHere(rank))
      continue;
    text += formatv("\n  rank {0}: {1}", rank,
                    describe(runtime.program(), runtime.team().communicator(rank).position));
  }
  return text + "\n";
}

void LiveState::show(const std::function<void(StringRef)> &sink) const {
  // Below a line that shows progress, and in one piece.
  const std::string shown =
      (sys::Process::StandardErrIsDisplayed() ? "\nphantom-run: " : "phantom-run: ") + text();
  if (sink)
    return sink(shown);
  raw_fd_ostream out(STDERR_FILENO, /*shouldClose=*/false);
  out << shown;
  out.flush();
  out.clear_error();
}

} // namespace phantom::rt
