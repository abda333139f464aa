//===- MachineModel.cpp - Modelled time and energy of a step --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/MachineModel.h"

#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

using namespace llvm;

namespace phantom::rt {

Expected<MachineModel> MachineModel::read(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return makeError("cannot read the machine file '" + path + "': " + buffer.getError().message());
  Expected<json::Value> value = parseJson((*buffer)->getBuffer());
  if (!value)
    return makeError("'" + path + "' is not a machine file: " + toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object)
    return makeError("'" + path + "' is not a machine file: it is not a JSON object");

  MachineModel machine;
  machine.name = object->getString("name").value_or("unnamed").str();
  struct Field {
    const char *key;
    double *value;
    bool positive;
  };
  const Field fields[] = {{"busy_watts", &machine.busyWatts, false},
                          {"wait_watts", &machine.waitWatts, false},
                          {"idle_watts", &machine.idleWatts, false},
                          {"flops_per_second", &machine.flopsPerSecond, true},
                          {"link_bytes_per_second", &machine.linkBytesPerSecond, true},
                          {"link_latency_seconds", &machine.linkLatencySeconds, false}};
  for (const Field &field : fields) {
    std::optional<double> number = object->getNumber(field.key);
    if (!number || !(*number >= 0) || (field.positive && *number == 0))
      return makeError("'" + path + "' is not a machine file: '" + field.key + "' must be a " +
                       (field.positive ? "positive number" : "number that is not negative"));
    *field.value = *number;
  }
  if (machine.idleWatts > std::min(machine.busyWatts, machine.waitWatts))
    return makeError("'" + path +
                     "' is not a machine file: 'idle_watts' must not be above 'busy_watts' and 'wait_watts'");
  return machine;
}

ModelledStep modelStep(const MachineModel &machine, const Program &program) {
  int64_t exchanges = 0;
  for (auto [function, runs] : program.stepFunctions())
    for (const Command &command : function->commands)
      if (std::holds_alternative<ExchangeStartCommand>(command) ||
          std::holds_alternative<CollectiveCommand>(command))
        exchanges += runs;
  ModelledStep result;
  result.computeSeconds = program.trainCosts.formulaFlops / machine.flopsPerSecond;
  if (program.ranks > 1)
    result.waitSeconds = double(exchanges) * machine.linkLatencySeconds +
                         program.trainCosts.modelCommBytes / machine.linkBytesPerSecond;
  result.joules = double(program.ranks) *
                  (machine.busyWatts * result.computeSeconds + machine.waitWatts * result.waitSeconds);
  result.aboveIdleJoules = result.joules - double(program.ranks) * machine.idleWatts *
                                               (result.computeSeconds + result.waitSeconds);
  return result;
}

} // namespace phantom::rt
