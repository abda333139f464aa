//===- Kernels.cpp - Object code of kernels, linked into the process ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Kernels.h"

#include "../Core/LinkObject.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;

namespace phantom::rt {

TargetCpu hostCpu() {
  TargetCpu host{sys::getProcessTriple(), sys::getHostCPUName().str(), {}};
  for (const auto &feature : sys::getHostCPUFeatures())
    if (feature.second)
      host.features.push_back(feature.first().str());
  llvm::sort(host.features);
  return host;
}

Error checkRunsOn(const TargetCpu &target, const TargetCpu &host) {
  const Triple wanted(target.triple), given(host.triple);
  if (wanted.getArch() != given.getArch() || wanted.getOS() != given.getOS() ||
      wanted.getEnvironment() != given.getEnvironment())
    return makeError("it is for " + target.triple + ", but this machine is " + host.triple);
  std::string missing;
  for (const std::string &feature : target.features)
    if (!is_contained(host.features, feature))
      missing += (missing.empty() ? "" : ", ") + feature;
  if (missing.empty())
    return Error::success();
  return makeError("it is for the CPU " + target.name + ", and this machine's (" + host.name +
                   ") lacks the instructions " + missing);
}

std::string kernelSymbol(StringRef kernel) { return (kernel + ".packed").str(); }

Expected<CompiledProgram> linkProgram(Program program, std::shared_ptr<MemoryBuffer> object,
                                      TargetCpu target) {
  CompiledProgram result;
  result.executable.program = std::move(program);
  result.object = std::move(object);
  result.target = std::move(target);
  std::vector<std::string> symbols;
  for (const std::string &kernel : result.executable.program.kernels)
    symbols.push_back(kernelSymbol(kernel));
  if (symbols.empty())
    return result;
  Expected<LinkedObject> linked = linkObject(*result.object, symbols);
  if (!linked)
    return linked.takeError();
  for (void *address : linked->addresses)
    result.executable.kernels.push_back(reinterpret_cast<KernelFunction>(address));
  result.code = std::move(linked->code);
  return result;
}

} // namespace phantom::rt
