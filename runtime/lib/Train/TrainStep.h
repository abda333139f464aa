//===- TrainStep.h - The functions of a training step -----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_TRAINSTEP_H
#define PHANTOM_RT_LIB_TRAIN_TRAINSTEP_H

#include "phantom-rt/Runtime.h"

namespace phantom::rt {

/// A bound training step: one function that does all of it, or one that runs for each part of the step's
/// rows, and one that updates the parameters after them.
class TrainStep {
public:
  /// `onPart` is "train_step" or "accumulate"; `onEnd` the same instance, or "update".
  TrainStep(FunctionInstance &onPart, FunctionInstance &onEnd, int64_t parts)
      : onPart(onPart), onEnd(onEnd), parts(parts) {}

  bool isDivided() const { return &onPart != &onEnd; }

  /// For step `step`, from 0 on, before its first part.
  void setStep(int64_t step, double learningRate);
  /// For part `part` of step `step`, before it runs.
  void setPart(int64_t step, int64_t part);

  FunctionInstance &onPart; ///< takes the rows, and returns the loss
  FunctionInstance &onEnd;  ///< takes the learning rate, and returns the norm
  const int64_t parts;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_TRAINSTEP_H
