//===- Gemm.cpp - The GEMMs of a rank, planned once ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// oneDNN reports errors by exceptions; none leaves this file.

#include "Gemm.h"
#include "NanKeeper.h"

#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/Error.h"

#include <algorithm>

using namespace llvm;

namespace phantom::rt {

static std::string describe(const GemmCommand &command) {
  return textOf(shapeOf(command)) + (command.location.empty() ? "" : " at " + command.location);
}

std::unique_ptr<LibraryGemm> makeGemm(GemmKernel kernel, const GemmCommand &command,
                                      const GemmAddresses &addresses, OneDnn &library) {
  if (command.factors == ElementType::BF16)
    return makeNarrowGemm(kernel, command, addresses, library);
  const bool packed = kernel == GemmKernel::OneDnnPacked;
  return kernel == GemmKernel::OneDnn || packed ? makeMatmul(command, addresses, packed, library)
                                                : makeSgemm(kernel, command, addresses, library);
}

struct GemmPlan::Implementation {
  struct Planned {
    std::unique_ptr<LibraryGemm> gemm;
    const GemmCommand *command;
    GemmAddresses addresses;
    int64_t nanColumns; ///< for the NanKeeper; 0: the GEMM needs none
  };
  explicit Implementation(int64_t threads) : library(threads) {}

  OneDnn library;
  std::vector<Planned> planned;
  NanKeeper nanKeeper;
  AlignedBuffer scratch;
};

GemmPlan::GemmPlan(int64_t threads) : threads(threads) {}
GemmPlan::~GemmPlan() = default;

Expected<size_t> GemmPlan::add(const GemmCommand &command, const GemmAddresses &addresses, GemmKernel kernel,
                               int64_t nanColumns) {
  try {
    if (!implementation)
      implementation = std::make_unique<Implementation>(threads);
    Implementation &all = *implementation;
    all.planned.push_back({makeGemm(kernel, command, addresses, all.library), &command, addresses,
                           NanKeeper::isNeeded(command) ? nanColumns : 0});
    return all.planned.size() - 1;
  } catch (const dnnl::error &error) {
    return makeError("oneDNN cannot run the GEMM " + describe(command) + ": " + error.what());
  }
}

GemmWorkspace GemmPlan::workspace() const {
  GemmWorkspace workspace;
  if (!implementation)
    return workspace;
  int64_t heap = 0, buffer = 0;
  for (const auto &planned : implementation->planned) {
    workspace.scratch = std::max(workspace.scratch, int64_t(planned.gemm->scratchBytes()));
    heap = std::max(heap, planned.gemm->heapBytes());
    buffer = std::max(buffer, planned.gemm->bufferBytes());
  }
  workspace.libraries = heap + buffer;
  return workspace;
}

Error GemmPlan::finish() {
  if (!implementation)
    return Error::success();
  Implementation &all = *implementation;
  Expected<AlignedBuffer> scratch = AlignedBuffer::create(workspace().scratch);
  if (!scratch)
    return scratch.takeError();
  all.scratch = std::move(*scratch);
  try {
    for (auto &planned : all.planned)
      planned.gemm->setScratch(all.scratch.data());
  } catch (const dnnl::error &error) {
    return makeError(Twine("oneDNN cannot bind its scratch memory: ") + error.what());
  }
  return Error::success();
}

Error GemmPlan::prepareWeights() {
  if (!implementation)
    return Error::success();
  for (const auto &planned : implementation->planned)
    if (!planned.gemm->prepareWeights())
      return makeError("oneDNN cannot lay out the weights of the GEMM " + describe(*planned.command));
  return Error::success();
}

void GemmPlan::setA(size_t gemm, std::byte *a) {
  auto &planned = implementation->planned[gemm];
  planned.gemm->setA(a);
  planned.addresses.a = a;
}

Error GemmPlan::run(size_t gemm) {
  const auto &planned = implementation->planned[gemm];
  NanKeeper &nanKeeper = implementation->nanKeeper;
  if (planned.nanColumns)
    nanKeeper.find(*planned.command, planned.addresses, planned.nanColumns);
  if (!planned.gemm->run())
    return makeError("oneDNN failed in the GEMM " + describe(*planned.command));
  if (planned.nanColumns)
    nanKeeper.restore(*planned.command, planned.addresses);
  return Error::success();
}

} // namespace phantom::rt
