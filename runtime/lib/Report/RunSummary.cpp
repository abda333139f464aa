//===- RunSummary.cpp - What a log does not say of its run ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunSummary.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace llvm;

namespace phantom::rt::report {

/// A sum over ranks may differ in its last digits where the file was written by other tools.
static bool isSame(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b));
}

static Error checkRun(StringRef path, const json::Object &object, const RunLog &log) {
  std::optional<int64_t> steps = object.getInteger("steps");
  std::optional<double> loss = object.getNumber("final_loss");
  if (!steps || !loss)
    return makeError("'" + path +
                     "' is not a summary of a run that has done a step: it has no 'steps' and 'final_loss'");
  if (*steps != log.lastStep() || !isSame(*loss, log.of(Column::Loss).back()))
    return makeError("'" + path + "' is not of the same run as '" + log.path + "': it ends with step " +
                     Twine(*steps) + " and a loss of " + std::to_string(*loss) + ", the log with step " +
                     Twine(log.lastStep()) + " and " + std::to_string(log.of(Column::Loss).back()));
  return Error::success();
}

Expected<RunSummary> readRunSummary(StringRef path, const RunLog &log) {
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return makeError("cannot read the summary '" + path + "': " + text.getError().message());
  Expected<json::Value> value = parseJson((*text)->getBuffer());
  if (!value)
    return makeError("'" + path + "' is not a summary: " + toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object)
    return makeError("'" + path + "' is not a summary: it is not a JSON object");
  if (Error error = checkRun(path, *object, log))
    return error;

  RunSummary summary;
  summary.model = object->getString("model").value_or("").str();
  summary.strategy = object->getString("strategy").value_or("").str();
  summary.stopReason = object->getString("stop_reason").value_or("").str();
  struct Field {
    StringLiteral key;
    std::optional<double> RunSummary::*value;
  };
  for (const Field &field :
       std::initializer_list<Field>{{"ranks", &RunSummary::ranks},
                                    {"ghost_width", &RunSummary::ghostWidth},
                                    {"batch_size", &RunSummary::batchSize},
                                    {"parameters", &RunSummary::parameters},
                                    {"executed_flops_per_step", &RunSummary::flopsPerStep},
                                    {"peak_memory_bytes", &RunSummary::peakBytes},
                                    {"eval_loss", &RunSummary::evalLoss},
                                    {"eval_accuracy", &RunSummary::evalAccuracy}}) {
    summary.*field.value = object->getNumber(field.key);
    if (const auto &number = summary.*field.value; number && !(std::abs(*number) <= 1e300))
      return makeError("'" + path + "' is not a summary: '" + field.key + "' is too large a number");
  }
  return summary;
}

} // namespace phantom::rt::report
