//===- Convert.cpp - From a dense model to a phantom one ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Convert.h"

using namespace llvm;

namespace phantom::run {

Expected<rt::ConversionReport> measureConversion(const rt::Program &program, rt::Session &session) {
  rt::SourceFiles files;
  std::vector<rt::LayerConversion> conversions;
  for (const rt::PhantomLayer &layer : rt::findPhantomLayers(program)) {
    Expected<rt::Matrix> dense = rt::readDenseWeight(program, layer, files);
    if (!dense)
      return dense.takeError();
    rt::Matrix composed = rt::composeWeight(layer, rt::readFactors(session.runtime().parameters(), layer));
    conversions.push_back(rt::compareWeights(layer, *dense, composed));
  }
  return rt::reportConversion(program, std::move(conversions));
}

} // namespace phantom::run
