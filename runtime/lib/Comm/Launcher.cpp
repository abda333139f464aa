//===- Launcher.cpp - What launchers tell their processes -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Error.h"
#include "phantom-rt/ProcessGroup.h"

using namespace llvm;

namespace phantom::rt {

using Variables = function_ref<std::optional<std::string>(StringRef name)>;

namespace {

/// The variables of one launcher.
struct Launcher {
  const char *rank, *size, *localRank;
};

// mpirun may be started by srun, so that what MPI says comes first.
constexpr Launcher launchers[] = {
    {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"}, // Open MPI
    {"PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"},                                    // MPICH, Intel MPI
    {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"},                              // srun
    {"RANK", "WORLD_SIZE", "LOCAL_RANK"},                                           // torchrun
};

} // namespace

static Expected<int64_t> readNumber(const char *name, Variables variable, int64_t least) {
  const std::optional<std::string> text = variable(name);
  int64_t value = 0;
  if (!text)
    return makeError(Twine("the launcher has not set ") + name + "; give --process-rank");
  if (StringRef(*text).getAsInteger(10, value) || value < least)
    return makeError(Twine(name) + "=" + *text + " in the environment is not a number from " + Twine(least) +
                     " on; give --process-rank");
  return value;
}

Expected<std::optional<LauncherPlace>> readLauncher(Variables variable) {
  for (const Launcher &launcher : launchers) {
    if (!variable(launcher.rank))
      continue;
    LauncherPlace place;
    Expected<int64_t> rank = readNumber(launcher.rank, variable, 0);
    if (!rank)
      return rank.takeError();
    Expected<int64_t> size = readNumber(launcher.size, variable, 1);
    if (!size)
      return size.takeError();
    place.rank = *rank;
    place.size = *size;
    if (variable(launcher.localRank)) {
      Expected<int64_t> localRank = readNumber(launcher.localRank, variable, 0);
      if (!localRank)
        return localRank.takeError();
      place.localRank = *localRank;
    }
    return place;
  }
  return std::nullopt;
}

Error parseRendezvous(StringRef text, Variables variable, ProcessPlace &place) {
  std::string fromVariables;
  if (text == "env") {
    const std::optional<std::string> host = variable("MASTER_ADDR"), port = variable("MASTER_PORT");
    if (!host || !port)
      return makeError("env: the environment has no MASTER_ADDR and MASTER_PORT; give HOST:PORT");
    fromVariables = (StringRef(*host).contains(':') ? "[" + *host + "]" : *host) + ":" + *port;
    text = fromVariables;
  }
  auto [host, port] = text.rsplit(':');
  if (host.consume_front("["))
    host.consume_back("]");
  else if (host.contains(':'))
    host = "";
  if (host.empty() || port.getAsInteger(10, place.port) || place.port == 0)
    return makeError("'" + text +
                     "' is no place to meet: give HOST:PORT, the machine where rank 0 runs and a free "
                     "port there (an IPv6 address in brackets)");
  place.host = host.str();
  return Error::success();
}

} // namespace phantom::rt
