//===- Processes.cpp - Runs whose ranks are processes ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Processes.h"

#include "phantom-rt/ProgramJson.h"

using namespace llvm;

namespace phantom::run {

static Expected<std::unique_ptr<rt::ProcessGroup>> join(const RunOptions &options,
                                                        const rt::Program &program) {
  rt::ProcessGroupOptions group;
  group.place = *options.place;
  group.timeoutSeconds = options.session.timeoutSeconds;
  rt::ProcessPlace &place = group.place;
  if (place.size && *place.size != program.ranks)
    return createStringError("the launcher has started " + Twine(*place.size) +
                             " processes, but the program has " + Twine(program.ranks) +
                             " ranks: start one process per rank");
  place.size = program.ranks;
  if (place.rank >= program.ranks)
    return createStringError("--process-rank " + Twine(place.rank) + ": the program has the ranks 0 to " +
                             Twine(program.ranks - 1));
  group.agreement = agreedFlags();
  group.agreement.emplace_back("the compiled program", rt::hashOf(program));
  return rt::joinProcessGroup(group);
}

Expected<int> onProcesses(RunOptions &options, const rt::Program &program,
                          function_ref<Expected<int>()> work) {
  if (!options.place)
    return work();
  Expected<std::unique_ptr<rt::ProcessGroup>> joined = join(options, program);
  if (!joined)
    return joined.takeError();
  rt::ProcessGroup &group = **joined;
  options.session.processes = &group;
  Expected<int> status = work();
  if (!status) {
    group.abort(toString(status.takeError()));
    return createStringError(group.reason());
  }
  if (Error error = group.barrier("the end of the run"))
    return error;
  return status;
}

} // namespace phantom::run
