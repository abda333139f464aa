//===- NvtxInjection.cpp - A profiler that writes ranges to a file --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVTX loads what NVTX_INJECTION64_PATH names. For tests: each line of the
// file that PHANTOM_NVTX_FILE names is a JSON array of a number per thread and
// the name of a range that begins, or null where one ends.
//
//===----------------------------------------------------------------------===//

#include <nvtx3/nvToolsExt.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

namespace {

std::mutex mutex;
int threads = 0;

std::FILE *file() {
  static std::FILE *opened = std::fopen(std::getenv("PHANTOM_NVTX_FILE"), "w");
  return opened;
}

/// Whoever calls it holds the mutex.
int thisThread() {
  static thread_local int number = ++threads;
  return number;
}

int NVTX_API push(nvtxDomainHandle_t, const nvtxEventAttributes_t *attributes) {
  std::lock_guard<std::mutex> lock(mutex);
  std::fprintf(file(), "[%d, \"%s\"]\n", thisThread(), attributes->message.ascii);
  std::fflush(file());
  return 0;
}

int NVTX_API pop(nvtxDomainHandle_t) {
  std::lock_guard<std::mutex> lock(mutex);
  std::fprintf(file(), "[%d, null]\n", thisThread());
  std::fflush(file());
  return 0;
}

} // namespace

extern "C" __attribute__((visibility("default"))) int
InitializeInjectionNvtx2(NvtxGetExportTableFunc_t getExportTable) {
  const auto *callbacks = static_cast<const NvtxExportTableCallbacks *>(getExportTable(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (!callbacks || !callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size))
    return 0;
  *table[NVTX_CBID_CORE2_DomainRangePushEx] = reinterpret_cast<NvtxFunctionPointer>(push);
  *table[NVTX_CBID_CORE2_DomainRangePop] = reinterpret_cast<NvtxFunctionPointer>(pop);
  return 1;
}
