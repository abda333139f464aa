//===- Gpu.cpp - Runs on GPUs ---------------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gpu.h"

#include "phantom/Conversion/GpuChips.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace phantom::run {

/// What --autotune has found, beside the remarks of the compiler.
static void printRemark(const rt::GemmMeasurement &measured) {
  const std::string which =
      measured.fastest == 0 ? "the first" : formatv("number {0}", measured.fastest + 1).str();
  errs() << formatv("remark: {0}: {1} of {2} kernels is the fastest, with {3:f3} us", measured.gemm, which,
                    measured.kernels, measured.seconds * 1e6);
  if (!measured.firstSeconds)
    errs() << "; the first does not run";
  else if (measured.fastest != 0)
    errs() << formatv("; {0:f2} times as fast as the first", *measured.firstSeconds / measured.seconds);
  errs() << "\n";
}

Expected<std::unique_ptr<GpuMachine>> GpuMachine::create(const RunOptions &options) {
  auto machine = std::make_unique<GpuMachine>();
  if (options.device == Device::Sim) {
    rt::GpuSimOptions simulated;
    simulated.devices = options.exchange == rt::GpuExchange::Loopback ? 1 : int(options.compile.ranks);
    simulated.scheduleSeed = options.simSeed;
    simulated.faults = options.simFaults;
    simulated.hangSeconds = options.session.timeoutSeconds;
    if (Error error = rt::GpuSim::create(simulated).moveInto(machine->sim))
      return error;
    machine->libraries.api = machine->sim->api();
    return machine;
  }
  machine->libraries = rt::loadGpuLibraries();
  if (options.place) {
    Expected<int> gpu =
        rt::checkGpuOfProcess(machine->libraries, options.compile.ranks, options.place->localRank);
    if (!gpu)
      return gpu.takeError();
    machine->gpus = {*gpu};
    return machine;
  }
  if (Error error = rt::checkGpus(machine->libraries, options.compile.ranks, options.exchange))
    return error;
  const bool isShared = options.exchange == rt::GpuExchange::Loopback;
  machine->gpus = llvm::to_vector(seq<int>(0, isShared ? 1 : int(options.compile.ranks)));
  return machine;
}

/// The chips to compile for; none: all that are known, since a GPU needs PTX.
static Expected<std::vector<std::string>> chipsOf(const rt::GpuLibraries &libraries, ArrayRef<int> gpus) {
  std::vector<std::string> chips;
  for (int gpu : gpus) {
    Expected<rt::ComputeCapability> capability = rt::computeCapability(libraries, gpu);
    if (!capability)
      return capability.takeError();
    const auto *chip = mlir::phantom::findGpuChip(capability->major, capability->minor);
    if (!chip)
      return std::vector<std::string>();
    if (!is_contained(chips, chip->name))
      chips.push_back(chip->name.str());
  }
  return chips;
}

Expected<const rt::Program *> GpuMachine::compile(const RunOptions &options) {
  CompileOptions compile = options.compile;
  if (sim) {
    compile.gpu.image = mlir::phantom::GpuImage::None;
    compile.gpu.twins = true;
  } else if (Error error = chipsOf(libraries, gpus).moveInto(compile.chips)) {
    return error;
  }
  if (Error error = compileModelForGpu(options.model, compile).moveInto(compiled))
    return error;
  return &compiled.program;
}

Expected<std::unique_ptr<rt::Session>> GpuMachine::load(const RunOptions &options) {
  image = compiled.image;
  if (sim) {
    if (Error error = rt::linkTwins(compiled, phantom_twin_barrier).moveInto(twins))
      return error;
    image = rt::registerTwins(twins.twins);
  }
  rt::GpuRuntimeOptions runtimeOptions;
  runtimeOptions.seed = options.session.seed;
  runtimeOptions.parameterFile = options.session.parameterFile;
  runtimeOptions.exchange = options.exchange;
  runtimeOptions.team = teamOptions(options.session);
  runtimeOptions.measureGemms = options.autotune;
  if (options.compile.remarks)
    runtimeOptions.onMeasured = printRemark;
  Expected<std::unique_ptr<rt::GpuRuntime>> runtime =
      rt::GpuRuntime::create(compiled.program, image, libraries, runtimeOptions);
  if (!runtime)
    return runtime.takeError();
  return std::make_unique<rt::Session>(std::move(*runtime), options.session.seed);
}

Error GpuMachine::check() const {
  Error violation = sim ? sim->check() : Error::success();
  if (!violation)
    return Error::success();
  return createStringError("the double of GPUs has found: " + toString(std::move(violation)));
}

} // namespace phantom::run
