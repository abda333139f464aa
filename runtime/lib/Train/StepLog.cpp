//===- StepLog.cpp - What a training run says about its steps -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/StepLog.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

/// Leaves the lines up to `steps` in the log; a line that was not written whole goes.
static Error truncateLog(StringRef path, int64_t steps) {
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return text.getError() == std::errc::no_such_file_or_directory
               ? Error::success()
               : makeError("cannot read the log '" + path + "': " + text.getError().message());
  std::string kept;
  StringRef rest = (*text)->getBuffer();
  while (rest.contains('\n')) {
    auto [line, behind] = rest.split('\n');
    rest = behind;
    Expected<json::Value> value = json::parse(line);
    const json::Object *object = value ? value->getAsObject() : nullptr;
    std::optional<int64_t> step = object ? object->getInteger("step") : std::nullopt;
    if (!value)
      consumeError(value.takeError());
    if (!step)
      return makeError("the log '" + path + "' has a line that is no step: name another log, or remove it");
    if (*step <= steps)
      kept += (line + "\n").str();
  }
  return writeFileAtomically(path, [&](raw_ostream &out) { out << kept; });
}

Expected<std::unique_ptr<StepLog>> StepLog::open(StringRef path, int64_t keptSteps) {
  auto log = std::make_unique<StepLog>();
  log->path = path.str();
  if (path.empty())
    return log;
  if (keptSteps > 0)
    if (Error error = truncateLog(path, keptSteps))
      return error;
  std::error_code code;
  log->stream =
      std::make_unique<raw_fd_ostream>(path, code, keptSteps > 0 ? sys::fs::OF_Append : sys::fs::OF_None);
  if (code)
    return makeError("cannot write the log '" + path + "': " + code.message());
  return log;
}

Error StepLog::write(const StepRecord &record) {
  if (!stream)
    return Error::success();
  json::OStream json(*stream);
  json.object([&] {
    json.attribute("step", record.step);
    json.attribute("loss", record.loss);
    json.attribute("grad_norm", record.gradNorm);
    json.attribute("learning_rate", record.learningRate);
    json.attribute("samples_per_second", record.samplesPerSecond);
    json.attribute("step_seconds", record.stepSeconds);
    json.attribute("comm_bytes", record.commBytes);
    json.attribute("model_comm_bytes", record.modelCommBytes);
    json.attribute("comm_seconds", record.commSeconds);
    json.attribute("comm_skew_seconds", record.commSkewSeconds);
    json.attribute("energy_joules", record.energyJoules);
    if (!record.energyJoules)
      json.attribute("energy_reason", record.energyReason);
    json.attribute("model_energy_joules", record.modelEnergyJoules);
    if (record.evalLoss)
      json.attribute("eval_loss", *record.evalLoss);
    if (record.evalAccuracy)
      json.attribute("eval_accuracy", *record.evalAccuracy);
  });
  *stream << '\n';
  stream->flush();
  if (!stream->has_error())
    return Error::success();
  std::string why = stream->error().message();
  stream->clear_error();
  return makeError("cannot write the log '" + path + "': " + why);
}

//===----------------------------------------------------------------------===//
// Progress
//===----------------------------------------------------------------------===//

Progress::Progress(bool enabled, int64_t steps, int64_t firstStep)
    : enabled(enabled), terminal(sys::Process::StandardErrIsDisplayed()), steps(steps), firstStep(firstStep),
      begin(std::chrono::steady_clock::now()) {}

Progress::~Progress() {
  if (drawn)
    errs() << '\n';
}

void Progress::show(const StepRecord &record) {
  if (!enabled)
    return;
  const auto now = std::chrono::steady_clock::now();
  const bool last = record.step == steps;
  if (terminal) {
    if (drawn && !last && now - lastDraw < std::chrono::milliseconds(100))
      return;
  } else {
    const int64_t tenth = record.step * 10 / steps;
    if (record.step != 1 && tenth == lastTenth)
      return;
    lastTenth = tenth;
  }
  lastDraw = now;

  const double elapsed = std::chrono::duration<double>(now - begin).count();
  const double left = elapsed / double(record.step - firstStep) * double(steps - record.step);
  const auto seconds = int64_t(std::llround(left));
  std::string text; // one write per line, so that lines of other writers do not mix with it
  raw_string_ostream out(text);
  if (terminal) {
    constexpr int64_t width = 24;
    const int64_t filled = record.step * width / steps;
    out << "\r[" << std::string(filled, '=') << std::string(width - filled, ' ') << "] ";
  }
  out << "step " << record.step << "/" << steps << "  loss " << format("%.6g", record.loss) << "  "
      << format("%.0f", record.samplesPerSecond) << " samples/s  ETA "
      << format("%lld:%02lld", (long long)(seconds / 60), (long long)(seconds % 60))
      << (terminal ? "\x1b[K" : "\n"); // on a terminal: clear what a longer line left
  drawn = terminal;
  errs() << text;
}

} // namespace phantom::rt
