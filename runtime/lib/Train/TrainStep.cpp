//===- TrainStep.cpp - The functions of a training step -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TrainStep.h"

namespace phantom::rt {

void TrainStep::setStep(int64_t step, double learningRate) {
  onEnd.setStep(step + 1);
  onEnd.setLearningRate(learningRate);
}

void TrainStep::setPart(int64_t step, int64_t part) {
  // What a function that accumulates gets counts parts: each drops other elements.
  onPart.setStep(step * parts + part + 1);
}

} // namespace phantom::rt
