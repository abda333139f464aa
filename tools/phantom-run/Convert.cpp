//===- Convert.cpp - From a dense model to a phantom one ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Convert.h"

#include "Calibrate.h"

#include "phantom-rt/CalibratedStart.h"

using namespace llvm;

namespace phantom::run {

/// Overwrites the layer's parameters, and compares. `plain` is the weight that it has without calibration.
static Expected<rt::LayerConversion> calibrate(const rt::PhantomLayer &layer, const rt::Matrix &dense,
                                               const rt::Matrix &plain, const Calibration &calibration,
                                               rt::ParameterStore &store) {
  const rt::Moments &inputs = calibration.inputsOf(layer.name);
  std::optional<size_t> bias = store.find(calibration.biasOf(layer.name));
  std::vector<double> before = bias ? store.values(*bias) : std::vector<double>(layer.out), change(layer.out);
  const double plainError = rt::outputError(dense, before, plain, change, inputs);

  Expected<rt::PhantomFactors> factors =
      rt::calibratedFactors(layer, dense, rt::weighting(inputs, bias.has_value()));
  if (!factors)
    return createStringError("layer '" + layer.name + "': " + toString(factors.takeError()));
  rt::writeFactors(store, layer, *factors);
  const rt::Matrix composed = rt::composeWeight(layer, rt::readFactors(store, layer));
  if (bias) {
    change = rt::biasFix(dense, composed, inputs.mean());
    for (auto [value, old] : zip(change, before))
      value += old;
    store.set(*bias, change);
    change = store.values(*bias);
    for (auto [value, old] : zip(change, before))
      value -= old;
  }
  rt::LayerConversion conversion = rt::compareWeights(layer, dense, composed);
  conversion.outputError = rt::outputError(dense, before, composed, change, inputs);
  conversion.plainOutputError = plainError;
  return conversion;
}

Expected<rt::ConversionReport> startFromDense(const RunOptions &options, const rt::Program &program,
                                              rt::Session &session) {
  const std::vector<rt::PhantomLayer> layers = rt::findPhantomLayers(program);
  std::optional<Calibration> calibration;
  if (!options.calibration.inputs.empty() && !layers.empty())
    if (Error error = Calibration::create(options, layers).moveInto(calibration))
      return error;
  if (Error error = session.runtime().fetchParameters())
    return error;

  rt::ParameterStore &store = session.runtime().parameters();
  rt::SourceFiles files;
  std::vector<rt::LayerConversion> conversions;
  for (const rt::PhantomLayer &layer : layers) {
    Expected<rt::Matrix> dense = rt::readDenseWeight(program, layer, files);
    if (!dense)
      return dense.takeError();
    const rt::Matrix plain = rt::composeWeight(layer, rt::readFactors(store, layer));
    Expected<rt::LayerConversion> conversion =
        calibration ? calibrate(layer, *dense, plain, *calibration, store)
                    : Expected<rt::LayerConversion>(rt::compareWeights(layer, *dense, plain));
    if (!conversion)
      return conversion.takeError();
    conversions.push_back(std::move(*conversion));
  }
  rt::ConversionReport report = rt::reportConversion(program, std::move(conversions));
  report.calibrationRows = calibration ? calibration->rows() : 0;
  return report;
}

} // namespace phantom::run
