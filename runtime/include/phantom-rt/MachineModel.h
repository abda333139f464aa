//===- MachineModel.h - Modelled time and energy of a step -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_MACHINEMODEL_H
#define PHANTOM_RT_MACHINEMODEL_H

#include "phantom-rt/Program.h"
#include "llvm/Support/Error.h"

#include <string>

namespace phantom::rt {

/// What a device of a machine can do and draws, from machines/*.json. Figures
/// made with it are modelled, never measured.
struct MachineModel {
  std::string name = "generic";
  double busyWatts = 300; ///< per device, computing
  double waitWatts = 120; ///< per device, waiting for communication
  double idleWatts = 60;  ///< per device, doing nothing
  double flopsPerSecond = 50e12;
  double linkBytesPerSecond = 100e9; ///< of one device
  double linkLatencySeconds = 5e-6;  ///< of one exchange

  /// The values above; the same as machines/generic.json.
  static MachineModel generic() { return {}; }
  static llvm::Expected<MachineModel> read(llvm::StringRef path);
};

/// One step of all ranks together, by the formula of the energy section of
/// the cost model: E = p (busyWatts * A + waitWatts * T).
struct ModelledStep {
  double computeSeconds = 0; ///< A: formula flops of a rank / flopsPerSecond
  double waitSeconds = 0;    ///< T: latency of each exchange + ring bytes / bandwidth
  double joules = 0;
  double aboveIdleJoules = 0; ///< with the power of idle devices subtracted
};

ModelledStep modelStep(const MachineModel &machine, const Program &program);

} // namespace phantom::rt

#endif // PHANTOM_RT_MACHINEMODEL_H
