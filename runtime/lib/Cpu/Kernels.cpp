//===- Kernels.cpp - Object code of kernels, linked into the process ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Kernels.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
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

/// A JIT that has linked `object` against this process (its C library).
static Expected<std::shared_ptr<orc::LLJIT>> link(const MemoryBuffer &object) {
  static const bool initialized = [] { return InitializeNativeTarget(), true; }(); // once, in any thread
  (void)initialized;
  Expected<std::unique_ptr<orc::LLJIT>> jit = orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  auto process =
      orc::DynamicLibrarySearchGenerator::GetForCurrentProcess((*jit)->getDataLayout().getGlobalPrefix());
  if (!process)
    return process.takeError();
  (*jit)->getMainJITDylib().addGenerator(std::move(*process));
  auto view = MemoryBuffer::getMemBuffer(object.getMemBufferRef(), /*RequiresNullTerminator=*/false);
  if (Error error = (*jit)->addObjectFile(std::move(view)))
    return error;
  return std::shared_ptr<orc::LLJIT>(std::move(*jit));
}

Expected<CompiledProgram> linkProgram(Program program, std::shared_ptr<MemoryBuffer> object,
                                      TargetCpu target) {
  CompiledProgram result;
  result.executable.program = std::move(program);
  result.object = std::move(object);
  result.target = std::move(target);
  const std::vector<std::string> &names = result.executable.program.kernels;
  if (names.empty())
    return result;
  Expected<std::shared_ptr<orc::LLJIT>> jit = link(*result.object);
  if (!jit)
    return jit.takeError();
  for (const std::string &name : names) {
    auto address = (*jit)->lookup(kernelSymbol(name));
    if (!address)
      return address.takeError();
    result.executable.kernels.push_back(address->toPtr<KernelFunction>());
  }
  result.code = std::move(*jit);
  return result;
}

} // namespace phantom::rt
