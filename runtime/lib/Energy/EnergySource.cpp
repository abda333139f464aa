//===- EnergySource.cpp - The choice of an energy counter -----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Energy.h"

#include "llvm/Support/ErrorHandling.h"

#include <chrono>

using namespace llvm;

namespace phantom::rt {

EnergySource::~EnergySource() = default;

double steadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

namespace {

class NoEnergy final : public EnergySource {
public:
  explicit NoEnergy(StringRef reason) : reason(reason) {}
  StringRef name() const override { return "none"; }
  EnergyReading read() override { return {std::nullopt, reason}; }

private:
  std::string reason;
};

} // namespace

std::unique_ptr<EnergySource> createNoEnergy(StringRef reason) { return std::make_unique<NoEnergy>(reason); }

static std::unique_ptr<EnergySource> chooseByMachine(const EnergyOptions &options,
                                                     std::unique_ptr<EnergySource> device) {
  if (device)
    return device;
  std::unique_ptr<EnergySource> rapl = createRapl(options.powercapFolder);
  EnergyReading reading = rapl->read();
  return reading.joules ? std::move(rapl) : createNoEnergy(reading.reason);
}

std::unique_ptr<EnergySource> chooseEnergy(const EnergyOptions &options,
                                           std::unique_ptr<EnergySource> device) {
  switch (options.kind) {
  case EnergyKind::Default:
    return chooseByMachine(options, std::move(device));
  case EnergyKind::None:
    return createNoEnergy(options.noneReason);
  case EnergyKind::Rapl:
    return createRapl(options.powercapFolder);
  case EnergyKind::Nvml:
    return device ? std::move(device) : createNoEnergy("the ranks run on no GPU");
  case EnergyKind::External:
    return createExternalEnergy(options.file);
  }
  llvm_unreachable("unknown kind of energy source");
}

} // namespace phantom::rt
