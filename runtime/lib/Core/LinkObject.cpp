//===- LinkObject.cpp - Object code, linked into the process --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LinkObject.h"

#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace phantom::rt {

static Error provide(orc::LLJIT &jit, ArrayRef<ProvidedSymbol> provided) {
  orc::SymbolMap symbols;
  for (const ProvidedSymbol &symbol : provided)
    symbols[jit.mangleAndIntern(symbol.name)] = {orc::ExecutorAddr::fromPtr(symbol.address),
                                                 JITSymbolFlags::Exported | JITSymbolFlags::Callable};
  return symbols.empty() ? Error::success()
                         : jit.getMainJITDylib().define(orc::absoluteSymbols(std::move(symbols)));
}

Expected<LinkedObject> linkObject(const MemoryBuffer &object, ArrayRef<std::string> symbols,
                                  ArrayRef<ProvidedSymbol> provided) {
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
  if (Error error = provide(**jit, provided))
    return error;
  auto view = MemoryBuffer::getMemBuffer(object.getMemBufferRef(), /*RequiresNullTerminator=*/false);
  if (Error error = (*jit)->addObjectFile(std::move(view)))
    return error;
  LinkedObject linked;
  for (const std::string &symbol : symbols) {
    auto address = (*jit)->lookup(symbol);
    if (!address)
      return address.takeError();
    linked.addresses.push_back(address->toPtr<void *>());
  }
  linked.code = std::shared_ptr<orc::LLJIT>(std::move(*jit));
  return linked;
}

} // namespace phantom::rt
