//===- Calibrate.h - The inputs of layers on calibration data ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_CALIBRATE_H
#define PHANTOM_RUN_CALIBRATE_H

#include "Options.h"

#include "phantom-rt/Calibration.h"
#include "phantom-rt/PhantomLayers.h"

namespace phantom::run {

/// What the dense model's activations are like on the calibration data.
class Calibration {
public:
  /// Runs the dense model, as far as these layers need it.
  static llvm::Expected<Calibration> create(const RunOptions &options,
                                            llvm::ArrayRef<rt::PhantomLayer> layers);

  int64_t rows() const { return rowCount; }
  /// Of the inputs of layer `name`, which is one of those given to `create`.
  const rt::Moments &inputsOf(llvm::StringRef name) const;
  /// The parameter that is the bias of this layer only; empty: there is none.
  llvm::StringRef biasOf(llvm::StringRef name) const;

private:
  const mlir::phantom::ExposedLayer &layer(llvm::StringRef name) const;

  int64_t rowCount = 0;
  std::vector<mlir::phantom::ExposedLayer> layers;
  rt::ActivationMoments moments; ///< by result; those of a layer of several results, by its name and "#"
};

} // namespace phantom::run

#endif // PHANTOM_RUN_CALIBRATE_H
