//===- GpuKernels.cpp - Links the twins of GPU kernels --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/GpuKernels.h"

#include "LinkObject.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Kernels.h"

using namespace llvm;

namespace phantom::rt {

Expected<LinkedTwins> linkTwins(const CompiledGpuProgram &compiled, void (*barrier)(TwinThread *)) {
  LinkedTwins result{compiled.twins, nullptr};
  if (compiled.twins.size() != compiled.program.kernels.size())
    return makeError("the program was compiled without twins of its kernels");
  if (compiled.twins.empty())
    return result;
  std::vector<std::string> symbols;
  for (const KernelTwin &twin : compiled.twins)
    symbols.push_back(kernelSymbol(twin.name));
  Expected<LinkedObject> linked =
      linkObject(*compiled.twinsCode, symbols, {{"phantom_twin_barrier", reinterpret_cast<void *>(barrier)}});
  if (!linked)
    return linked.takeError();
  for (size_t i = 0; i < symbols.size(); ++i)
    result.twins[i].run = reinterpret_cast<TwinFunction>(linked->addresses[i]);
  result.code = std::move(linked->code);
  return result;
}

} // namespace phantom::rt
