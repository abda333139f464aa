//===- Energy.h - Counters of energy ----------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_ENERGY_H
#define PHANTOM_RT_ENERGY_H

#include "llvm/ADT/StringRef.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace phantom::rt {

/// What an energy counter has counted since some moment of the past: only differences say something.
struct EnergyReading {
  std::optional<double> joules;
  std::string reason; ///< why there is no number
};

/// Something that counts energy. Used by one thread at a time.
class EnergySource {
public:
  virtual ~EnergySource();
  /// "nvml", "rapl", "external" or "none".
  virtual llvm::StringRef name() const = 0;
  virtual EnergyReading read() = 0;
};

/// Seconds since some moment of the past. Tests have clocks of their own.
using SecondsClock = std::function<double()>;
double steadySeconds();

/// No counter, for that reason.
std::unique_ptr<EnergySource> createNoEnergy(llvm::StringRef reason);

/// The CPU packages of this machine, by the kernel's powercap files in `folder`: whatever runs on them, other
/// processes too. Parts of a package are in it, and not added; nor is the zone of the whole platform, which
/// the packages are in.
std::unique_ptr<EnergySource> createRapl(llvm::StringRef folder, SecondsClock clock = steadySeconds);

/// A file that another program appends to: the last whole line is a number of joules so far, or a JSON object
/// with a member "joules".
std::unique_ptr<EnergySource> createExternalEnergy(llvm::StringRef file);

enum class EnergyKind : uint8_t {
  Default, ///< the devices' own counter, or RAPL where it can be read
  None,
  Rapl,
  Nvml,
  External,
};

struct EnergyOptions {
  EnergyKind kind = EnergyKind::Default;
  std::string file;                                    ///< of External
  std::string noneReason = "no counter was asked for"; ///< of None
  std::string powercapFolder = "/sys/class/powercap";
};

/// The source that the options name. `device` is the counter of the ranks' devices, null where they have
/// none.
std::unique_ptr<EnergySource> chooseEnergy(const EnergyOptions &options,
                                           std::unique_ptr<EnergySource> device);

} // namespace phantom::rt

#endif // PHANTOM_RT_ENERGY_H
