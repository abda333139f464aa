//===- ConversionReport.cpp - What a conversion to phantom layers lost ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ConversionReport.h"

#include "phantom-rt/AtomicFile.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace phantom::rt {

LayerConversion compareWeights(const PhantomLayer &layer, const Matrix &dense, const Matrix &composed) {
  const int64_t mOut = layer.out / layer.ranks, mIn = layer.in / layer.ranks;
  double error = 0, whole = 0, diagonalError = 0, diagonal = 0;
  for (int64_t i = 0; i < layer.out; ++i)
    for (int64_t j = 0; j < layer.in; ++j) {
      const double value = dense.row(i)[j], difference = composed.row(i)[j] - value;
      const bool own = i / mOut == j / mIn;
      (own ? diagonalError : error) += difference * difference;
      (own ? diagonal : whole) += value * value;
    }
  LayerConversion conversion;
  conversion.layer = layer;
  conversion.offDiagonalError = relativeNorm(error, whole);
  conversion.weightError = relativeNorm(error + diagonalError, whole + diagonal);
  return conversion;
}

ConversionReport reportConversion(const Program &program, std::vector<LayerConversion> layers) {
  ConversionReport report;
  report.model = program.model;
  report.ranks = program.ranks;
  std::vector<bool> phantom(program.parameters.size());
  for (const LayerConversion &conversion : layers) {
    const PhantomLayer &layer = conversion.layer;
    for (std::optional<size_t> parameter : {std::optional(layer.local), layer.compressor, layer.decompressor})
      if (parameter)
        phantom[*parameter] = true;
    report.parameters += layer.weights();
    report.denseParameters += layer.denseWeights();
  }
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const Parameter &parameter = program.parameters[i];
    if (phantom[i] || !parameter.stateOf.empty())
      continue;
    const int64_t elements = globalType(parameter, program.ranks).elements();
    report.parameters += elements;
    report.denseParameters += elements;
  }
  report.layers = std::move(layers);
  return report;
}

//===----------------------------------------------------------------------===//
// Output
//===----------------------------------------------------------------------===//

static std::string change(int64_t before, int64_t after) {
  return std::to_string(before) + " -> " + std::to_string(after);
}

void print(raw_ostream &out, const ConversionReport &report) {
  size_t width = strlen("layer");
  for (const LayerConversion &conversion : report.layers)
    width = std::max(width, conversion.layer.name.size());
  out << left_justify("layer", width) << "  " << left_justify("out x in", 13) << "ghosts  "
      << left_justify("weights", 22) << left_justify("flops per row", 22)
      << "error of the off-diagonal blocks, of the weight"
      << (report.calibrationRows ? ", of the output (uncalibrated)\n" : "\n");
  for (const LayerConversion &conversion : report.layers) {
    const PhantomLayer &layer = conversion.layer;
    const int64_t before = layer.denseWeights(), after = layer.weights();
    out << left_justify(layer.name, width) << "  "
        << left_justify(std::to_string(layer.out) + " x " + std::to_string(layer.in), 13)
        << format("%6lld  ", static_cast<long long>(layer.ghostWidth))
        << left_justify(change(before, after), 22) << left_justify(change(2 * before, 2 * after), 22)
        << format("%.6f, %.6f", conversion.offDiagonalError, conversion.weightError);
    if (conversion.outputError)
      out << format(", %.6f (%.6f)", *conversion.outputError, *conversion.plainOutputError);
    out << "\n";
  }
  out << report.layers.size() << " phantom layers on " << report.ranks << " ranks; parameters of the model "
      << change(report.denseParameters, report.parameters);
  if (report.calibrationRows)
    out << "; calibrated on " << report.calibrationRows << " rows";
  out << "\n";
}

static void write(json::OStream &json, const LayerConversion &conversion) {
  const PhantomLayer &layer = conversion.layer;
  json.attribute("name", layer.name);
  json.attribute("out", layer.out);
  json.attribute("in", layer.in);
  json.attribute("ghost_width", layer.ghostWidth);
  json.attribute("dense_weights", layer.denseWeights());
  json.attribute("weights", layer.weights());
  json.attribute("dense_flops_per_row", 2 * layer.denseWeights());
  json.attribute("flops_per_row", 2 * layer.weights());
  json.attribute("off_diagonal_error", conversion.offDiagonalError);
  json.attribute("weight_error", conversion.weightError);
  if (conversion.outputError) {
    json.attribute("output_error", *conversion.outputError);
    json.attribute("plain_output_error", *conversion.plainOutputError);
  }
}

Error writeSummary(StringRef path, const ConversionReport &report) {
  return writeFileAtomically(path, [&](raw_ostream &out) {
    json::OStream json(out, /*IndentSize=*/2);
    json.object([&] {
      json.attribute("model", report.model);
      json.attribute("ranks", report.ranks);
      json.attribute("dense_parameters", report.denseParameters);
      json.attribute("parameters", report.parameters);
      if (report.calibrationRows)
        json.attribute("calibration_rows", report.calibrationRows);
      json.attributeArray("layers", [&] {
        for (const LayerConversion &conversion : report.layers)
          json.object([&] { write(json, conversion); });
      });
    });
    out << '\n';
  });
}

} // namespace phantom::rt
