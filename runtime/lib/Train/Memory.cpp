//===- Memory.cpp - What a run should need, and needed --------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Memory.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <atomic>

using namespace llvm;

namespace phantom::rt {

MemoryNeed memoryNeed(const Program &program, ArrayRef<BoundFunction> functions) {
  MemoryNeed need;
  for (const Parameter &parameter : program.parameters)
    (parameter.stateOf.empty() ? need.parameters : need.optimizer) += program.ranks * parameter.type.bytes();
  for (const Window &window : program.windows)
    need.windows += window.bytes;
  for (const std::vector<uint8_t> &constant : program.constants)
    need.constants += int64_t(constant.size());
  GemmWorkspace workspace;
  for (const BoundFunction &bound : functions) {
    need.activations += program.ranks * bound.function->arenaBytes;
    workspace += bound.gemmWorkspace;
    for (const Argument &argument : bound.function->arguments)
      if (argument.role == Role::Input || argument.role == Role::Target)
        need.batch += argument.type.bytes();
  }
  need.gemmWorkspace = program.ranks * workspace.total();
  return need;
}

/// The value of a line "name:  123 kB" of /proc/self/status.
static int64_t statusBytes(StringRef status, StringRef name) {
  auto [before, line] = status.split((name + ":").str());
  int64_t kibibytes = 0;
  line.ltrim().consumeInteger(10, kibibytes);
  return kibibytes * 1024;
}

int64_t peakOwnBytes() {
  static std::atomic<int64_t> most = 0;
  auto status = MemoryBuffer::getFileAsStream("/proc/self/status");
  if (!status)
    return 0;
  const StringRef text = (*status)->getBuffer();
  const int64_t now = statusBytes(text, "VmHWM") - statusBytes(text, "RssFile");
  int64_t before = most;
  while (before < now && !most.compare_exchange_weak(before, now))
    ;
  return std::max(before, now);
}

} // namespace phantom::rt
