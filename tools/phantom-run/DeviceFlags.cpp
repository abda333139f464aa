//===- DeviceFlags.cpp - Where the ranks run ------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "ReadFlags.h"
#include "SimFaults.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Process.h"

using namespace llvm;

namespace phantom::run {

using namespace flags;

namespace {

/// The first communicator of a device is the one that it has without the flag.
ArrayRef<StringRef> communicatorsOf(Device device) {
  static const StringRef cpu[] = {"threads"}, cuda[] = {"nccl", "loopback"}, sim[] = {"sim", "loopback"};
  switch (device) {
  case Device::Cpu:
    return cpu;
  case Device::Cuda:
    return cuda;
  case Device::Sim:
    return sim;
  }
  llvm_unreachable("unknown device");
}

/// Flags that say how a CPU computes.
Error refuseFlagsOfCpus() {
  for (const Text *flag : {&gemm, &threadsPerRank})
    if (flag->given())
      return flagError(*flag, "only for --device cpu");
  if (precision.getValue() == "f64")
    return flagError(precision, "only for --device cpu");
  return Error::success();
}

std::optional<std::string> variable(StringRef name) { return sys::Process::GetEnv(name); }

/// What needs all ranks in one process.
Error refuseFlagsOfOneProcess(const RunOptions &options) {
  const Text *refused = options.device == Device::Sim                                ? &device
                        : options.exchange == rt::GpuExchange::Loopback              ? &communicator
                        : calibration.given()                                        ? &calibration
                        : energy.getValue() == "nvml" || energy.getValue() == "rapl" ? &energy
                                                                                     : nullptr;
  if (refused)
    return flagError(*refused, "not with ranks in several processes (--rendezvous)");
  if (autotune)
    return createStringError(
        "--autotune: not with ranks in several processes (--rendezvous), which would choose "
        "differently; compile --autotune writes a folder for all");
  return Error::success();
}

Error readPlace(rt::ProcessPlace &place) {
  if (Error error = rt::parseRendezvous(rendezvous, variable, place))
    return createStringError("--rendezvous " + toString(std::move(error)));
  std::optional<rt::LauncherPlace> launched;
  if (!processRank.given()) {
    if (Error error = rt::readLauncher(variable).moveInto(launched))
      return error;
    if (!launched)
      return flagError(rendezvous,
                       "which rank is this process? Start it by mpirun, srun or torchrun, or give "
                       "--process-rank");
    place.rank = launched->rank;
    place.size = launched->size;
  } else if (Error error = assign(place.rank, integer(processRank, 0, 1023))) {
    return error;
  }
  place.localRank = launched ? launched->localRank.value_or(place.rank) : place.rank;
  return localRank.given() ? assign(place.localRank, integer(localRank, 0, 1023)) : Error::success();
}

} // namespace

Error readDevice(RunOptions &options) {
  if (Error error = assign(
          options.device,
          choice<Device>(device, {{"cpu", Device::Cpu}, {"cuda", Device::Cuda}, {"sim", Device::Sim}})))
    return error;
  ArrayRef<StringRef> communicators = communicatorsOf(options.device);
  if (communicator.given() && !is_contained(communicators, communicator.getValue()))
    return flagError(communicator,
                     "not with --device " + device.getValue() + "; use " + join(communicators, " or "));
  if (communicator.getValue() == "loopback")
    options.exchange = rt::GpuExchange::Loopback;
  if (simSeed.given() && options.device != Device::Sim)
    return flagError(simSeed, "only for --device sim");
  if (Error error = assign(options.simSeed, integer(simSeed, 0)))
    return error;
  options.compile.fuseGradientEpilogues = gradientEpilogues;
  if (gradientEpilogues && options.device == Device::Cpu)
    return createStringError("--gradient-epilogues: only for GPUs (--device cuda or sim)");
  if (gradientEpilogues && noFusion)
    return createStringError("--gradient-epilogues needs the epilogues that --no-fusion leaves out");
  if (options.device == Device::Cpu)
    return Error::success();
  if (options.command == Command::Compile || options.isCompiled)
    return flagError(device, "compiled folders are for CPUs; name the model itself, or leave the flag out");
  return refuseFlagsOfCpus();
}

Error readSimFaults(RunOptions &options) {
  if (!simFaults.given())
    return Error::success();
  if (options.device != Device::Sim)
    return flagError(simFaults, "only for --device sim");
  if (Error error = parseSimFaults(simFaults, options.compile.ranks).moveInto(options.simFaults))
    return flagError(simFaults, toString(std::move(error)));
  const bool hasRanks = !options.simFaults.deadRanks.empty() || !options.simFaults.slowRanks.empty() ||
                        !options.simFaults.asyncErrors.empty();
  if (hasRanks && options.exchange == rt::GpuExchange::Loopback)
    return flagError(simFaults, "faults of ranks are NCCL's: not with --communicator loopback");
  return Error::success();
}

Error readProcesses(RunOptions &options) {
  if (!rendezvous.given()) {
    for (const Text *flag : {&processRank, &localRank})
      if (flag->given())
        return flagError(*flag, "needs --rendezvous, the place where the processes meet");
    return Error::success();
  }
  if (Error error = refuseFlagsOfOneProcess(options))
    return error;
  return readPlace(options.place.emplace());
}

} // namespace phantom::run
