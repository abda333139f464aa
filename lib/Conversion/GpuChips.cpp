//===- GpuChips.cpp - The GPUs that kernels are compiled for ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/GpuChips.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir::phantom;

static constexpr GpuChip kChips[] = {{"sm_80", 80}, {"sm_90", 80}, {"sm_100", 86}, {"sm_120", 87}};

llvm::ArrayRef<GpuChip> mlir::phantom::gpuChips() { return kChips; }

const GpuChip *mlir::phantom::findGpuChip(llvm::StringRef name) {
  const GpuChip *chip = llvm::find_if(kChips, [&](const GpuChip &known) { return known.name == name; });
  return chip == std::end(kChips) ? nullptr : chip;
}

// Code runs on later minor versions of its major one.
const GpuChip *mlir::phantom::findGpuChip(int major, int minor) {
  const GpuChip *newest = nullptr;
  for (const GpuChip &chip : kChips) {
    int number = 0;
    chip.name.drop_front(llvm::StringRef("sm_").size()).getAsInteger(10, number);
    if (number / 10 == major && number % 10 <= minor)
      newest = &chip;
  }
  return newest;
}

std::string mlir::phantom::gpuChipNames() {
  return llvm::join(llvm::map_range(kChips, [](const GpuChip &chip) { return chip.name; }), ", ");
}
