//===- ConversionReport.h - What a conversion to phantom layers lost ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_CONVERSIONREPORT_H
#define PHANTOM_RT_CONVERSIONREPORT_H

#include "phantom-rt/PhantomLayers.h"
#include "llvm/Support/raw_ostream.h"

namespace phantom::rt {

/// A phantom layer against the dense layer that it comes from. Errors are relative, as `relativeNorm` has it.
struct LayerConversion {
  PhantomLayer layer;
  double offDiagonalError = 0; ///< of the blocks beside the diagonal, in the Frobenius norm
  double weightError = 0;      ///< of the whole weight
  // Of the layer's output on calibration rows:
  std::optional<double> outputError;      ///< with this start
  std::optional<double> plainOutputError; ///< with the start that knows no calibration rows
};

LayerConversion compareWeights(const PhantomLayer &layer, const Matrix &dense, const Matrix &composed);

struct ConversionReport {
  std::string model;
  int64_t ranks = 1;
  std::vector<LayerConversion> layers;
  int64_t parameters = 0;      ///< of the phantom model, all ranks together
  int64_t denseParameters = 0; ///< of the dense one
  int64_t calibrationRows = 0; ///< 0: none
};

/// A report on `layers` of the program.
ConversionReport reportConversion(const Program &program, std::vector<LayerConversion> layers);

/// A table for people.
void print(llvm::raw_ostream &out, const ConversionReport &report);

/// Writes the report as one JSON object (docs: phantom-run convert --summary).
llvm::Error writeSummary(llvm::StringRef path, const ConversionReport &report);

} // namespace phantom::rt

#endif // PHANTOM_RT_CONVERSIONREPORT_H
