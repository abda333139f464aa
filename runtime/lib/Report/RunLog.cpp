//===- RunLog.cpp - The log of a run, by column ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunLog.h"

#include "Html.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace llvm;

namespace phantom::rt::report {

namespace {

struct Field {
  Column column;
  StringLiteral key;
  double least;
};

constexpr double kAny = -std::numeric_limits<double>::infinity(), kLargest = 1e300;
/// In characters; longer ones are no help.
constexpr size_t kLongestReason = 300;

constexpr Field kFields[] = {
    {Column::Loss, "loss", kAny},
    {Column::GradNorm, "grad_norm", 0},
    {Column::LearningRate, "learning_rate", 0},
    {Column::SamplesPerSecond, "samples_per_second", 0},
    {Column::StepSeconds, "step_seconds", 0},
    {Column::CommBytes, "comm_bytes", 0},
    {Column::CommSeconds, "comm_seconds", 0},
    {Column::Energy, "energy_joules", 0},
    {Column::ModelEnergy, "model_energy_joules", 0},
    {Column::EvalLoss, "eval_loss", kAny},
    {Column::EvalAccuracy, "eval_accuracy", 0},
};
static_assert(std::size(kFields) == kColumns);

} // namespace

size_t RunLog::count(Column column) const {
  return size_t(count_if(of(column), [](double value) { return !std::isnan(value); }));
}

std::string RunLog::whyMissing(Column column) const {
  if (column == Column::Energy && !energyReason.empty())
    return energyReason;
  const auto *field = find_if(kFields, [&](const Field &field) { return field.column == column; });
  const size_t measured = count(column);
  if (measured == 0)
    return ("the log has no '" + field->key + "'").str();
  return ("the log has '" + field->key + "' in " + Twine(measured) + " of " + Twine(steps()) + " steps")
      .str();
}

/// NaN where the line does not have the field, or has null.
static Expected<double> readField(const json::Object &object, const Field &field) {
  const json::Value *value = object.get(field.key);
  if (!value || value->kind() == json::Value::Null)
    return std::numeric_limits<double>::quiet_NaN();
  std::optional<double> number = value->getAsNumber();
  if (!number)
    return makeError("'" + field.key + "' is not a number");
  if (!(std::abs(*number) <= kLargest))
    return makeError("'" + field.key + "' is too large a number");
  if (*number < field.least)
    return makeError("'" + field.key + "' is negative");
  return *number;
}

static Error addStep(RunLog &log, const json::Value &value) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError("not a JSON object");
  std::optional<int64_t> step = object->getInteger("step");
  if (!step || *step < 1)
    return makeError("no 'step' that counts from 1: is this the log of a training run?");
  if (log.steps() == 0)
    log.firstStep = *step;
  else if (*step != log.lastStep() + 1)
    return makeError("step " + Twine(*step) + " follows step " + Twine(log.lastStep()) +
                     "; the steps of a log follow one another");
  for (const Field &field : kFields) {
    Expected<double> number = readField(*object, field);
    if (!number)
      return number.takeError();
    if (field.column == Column::Loss && std::isnan(*number))
      return makeError("no 'loss'");
    log.columns[size_t(field.column)].push_back(*number);
  }
  if (log.energyReason.empty() && std::isnan(log.of(Column::Energy).back()))
    log.energyReason = shorten(object->getString("energy_reason").value_or(""), kLongestReason);
  return Error::success();
}

Expected<RunLog> readRunLog(StringRef path) {
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return makeError("cannot read the log '" + path + "': " + text.getError().message());
  RunLog log;
  log.path = path.str();
  StringRef rest = (*text)->getBuffer();
  for (int64_t number = 1; !rest.empty(); ++number) {
    const bool isEnded = rest.contains('\n');
    auto [line, behind] = rest.split('\n');
    rest = behind;
    Expected<json::Value> value = parseJson(line);
    if (!value && !isEnded) {
      consumeError(value.takeError());
      log.cutShort = true;
      break;
    }
    Error error = value ? addStep(log, *value) : value.takeError();
    if (error)
      return makeError("'" + path + "', line " + Twine(number) + ": " + toString(std::move(error)));
  }
  if (log.steps() == 0)
    return makeError("the log '" + path + "' has no step; name the log of a run that has done one");
  return log;
}

Expected<std::vector<std::string>> nameRuns(ArrayRef<NamedFile> logs) {
  StringSet<> taken;
  StringMap<int> stems;
  for (const NamedFile &log : logs) {
    if (log.name.empty())
      ++stems[sys::path::stem(log.path)];
    else if (!taken.insert(log.name).second)
      return makeError("two runs have the name '" + log.name + "'; give each a name of its own");
  }
  std::vector<std::string> names;
  for (const NamedFile &log : logs) {
    std::string name = log.name;
    if (name.empty()) {
      const StringRef stem = sys::path::stem(log.path);
      const StringRef folder = sys::path::filename(sys::path::parent_path(log.path));
      const std::string base = (stems[stem] > 1 && !folder.empty() ? folder + "/" + stem : Twine(stem)).str();
      name = base;
      for (int number = 2; !taken.insert(name).second; ++number)
        name = (base + " (" + Twine(number) + ")").str();
    }
    names.push_back(std::move(name));
  }
  return names;
}

} // namespace phantom::rt::report
