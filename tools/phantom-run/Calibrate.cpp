//===- Calibrate.cpp - The inputs of layers on calibration data -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Calibrate.h"

using namespace llvm;

namespace phantom::run {

/// Where the moments of all inputs of a layer are.
static std::string momentsKey(const mlir::phantom::ExposedLayer &layer) {
  return layer.outputs.size() == 1 ? layer.outputs.front() : layer.name + "#";
}

Expected<Calibration> Calibration::create(const RunOptions &options, ArrayRef<rt::PhantomLayer> layers) {
  constexpr int64_t mostRows = 256; // at once
  std::vector<std::string> names;
  for (const rt::PhantomLayer &layer : layers)
    names.push_back(layer.name);
  Calibration calibration;
  Expected<int64_t> rows = rt::countRows(options.calibration);
  if (!rows)
    return rows.takeError();
  calibration.rowCount = *rows;
  for (int64_t first = 0; first < *rows;) {
    // What is left after whole batches is a batch of its own: padding would count as data.
    const int64_t wanted = std::min(mostRows, *rows - first);
    Expected<CompiledActivations> activations =
        compileActivations(options.model, options.compile, names, wanted);
    if (!activations)
      return activations.takeError();
    const int64_t batch = activations->compiled.executable.program.batch;
    if (*rows % batch != 0 && batch != wanted)
      return createStringError("--calibration: '" + options.calibration.inputs.front().path + "' has " +
                               Twine(*rows) + " rows, but the model takes " + Twine(batch) +
                               " at once: give a multiple of that");
    const int64_t last = *rows - (*rows - first) % batch;
    if (Error error = rt::addActivations(activations->compiled.executable, options.calibration, first, last,
                                         teamOptions(options.session), calibration.moments))
      return error;
    calibration.layers = std::move(activations->layers);
    first = last;
  }
  for (const mlir::phantom::ExposedLayer &layer : calibration.layers) {
    if (layer.outputs.size() == 1)
      continue;
    rt::Moments all = calibration.moments.find(layer.outputs.front())->second;
    for (const std::string &output : drop_begin(layer.outputs))
      all.add(calibration.moments.find(output)->second);
    calibration.moments.emplace(momentsKey(layer), std::move(all));
  }
  return calibration;
}

const mlir::phantom::ExposedLayer &Calibration::layer(StringRef name) const {
  return *find_if(layers, [&](const mlir::phantom::ExposedLayer &layer) { return layer.name == name; });
}

const rt::Moments &Calibration::inputsOf(StringRef name) const {
  return moments.find(momentsKey(layer(name)))->second;
}

StringRef Calibration::biasOf(StringRef name) const { return layer(name).bias; }

} // namespace phantom::run
