//===- GhostWidths.cpp - The ghost widths of single layers ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GhostWidths.h"

#include "Calibrate.h"

#include "phantom-rt/CalibratedStart.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace llvm;

namespace phantom::run {

/// The widths of the phantom layers in a file of parameters.
static Error readWidths(RunOptions &options) {
  const std::string &path = options.session.parameterFile;
  Expected<rt::SafeTensorsFile> file = rt::SafeTensorsFile::open(path);
  if (!file)
    return file.takeError();
  for (const auto &[name, tensor] : file->tensors()) {
    StringRef layer = name;
    if (!layer.consume_back(".local"))
      continue;
    auto compressor = file->tensors().find((layer + ".compressor").str());
    const bool ghosts = compressor != file->tensors().end() && compressor->second.shape.size() == 3;
    options.compile.ghostWidths[layer.str()] = ghosts ? compressor->second.shape[1] : 0;
  }
  if (options.compile.ghostWidths.empty())
    return createStringError("--ghost-width auto: '" + path + "' holds no phantom layer");
  return Error::success();
}

/// The program that computes the outputs, without ghosts.
static Expected<rt::Program> compileForward(const RunOptions &options, Strategy strategy) {
  CompileOptions compile = options.compile;
  compile.strategy = strategy;
  compile.ghostWidth = 0;
  compile.ghostWidths.clear();
  compile.functions = {"forward"};
  compile.loss.reset();
  compile.referenceGemm = compile.remarks = false;
  compile.precision = mlir::phantom::Precision::F32;
  compile.exchangeEncoding = mlir::phantom::WireEncoding::F32;
  compile.onCompiled = nullptr;
  Expected<CompiledProgram> compiled = compileModel(options.model, compile);
  if (!compiled)
    return compiled.takeError();
  return std::move(compiled->executable.program);
}

static Expected<std::vector<rt::GhostDemand>>
findDemands(const RunOptions &options, const rt::Program &program, ArrayRef<rt::PhantomLayer> layers) {
  std::optional<Calibration> calibration;
  if (!options.calibration.inputs.empty())
    if (Error error = Calibration::create(options, layers).moveInto(calibration))
      return error;
  rt::SourceFiles files;
  std::vector<rt::GhostDemand> demands;
  for (const rt::PhantomLayer &layer : layers) {
    Expected<rt::Matrix> dense = rt::readDenseWeight(program, layer, files);
    if (!dense)
      return dense.takeError();
    rt::Matrix weighting;
    if (calibration)
      weighting = rt::weighting(calibration->inputsOf(layer.name), !calibration->biasOf(layer.name).empty());
    Expected<std::vector<double>> gains = rt::ghostGains(layer, *dense, calibration ? &weighting : nullptr);
    if (!gains)
      return createStringError("layer '" + layer.name + "': " + toString(gains.takeError()));
    demands.push_back({std::move(*gains), rt::costPerGhost(program, layer, options.budget->unit)});
  }
  return demands;
}

static Error chooseWidths(RunOptions &options) {
  const Budget &budget = *options.budget;
  Expected<rt::Program> program = compileForward(options, Strategy::Phantom);
  if (!program)
    return program.takeError();
  const std::vector<rt::PhantomLayer> layers = rt::findPhantomLayers(*program);
  if (layers.empty())
    return createStringError("--ghost-width auto: no layer becomes a phantom layer (" +
                             Twine(options.compile.ranks) + " ranks)");
  Expected<rt::Program> tensor = compileForward(options, Strategy::Tensor);
  if (!tensor)
    return tensor.takeError();
  const double whole = rt::costOf(*tensor, budget.unit), least = rt::costOf(*program, budget.unit);
  if (least > budget.fraction * whole)
    return createStringError(
        formatv(
            "--budget {0}: too small; without any ghosts the model takes {1:f4} of what the tensor strategy "
            "does, and that is the smallest possible value",
            budget.text, std::ceil(least / whole * 1e4) / 1e4)
            .str());
  Expected<std::vector<rt::GhostDemand>> demands = findDemands(options, *program, layers);
  if (!demands)
    return demands.takeError();
  std::vector<int64_t> widths = rt::chooseGhostWidths(*demands, budget.fraction * whole - least);
  raw_ostream &out = options.isRoot() ? outs() : nulls();
  double cost = least;
  for (size_t i = 0; i < layers.size(); ++i) {
    options.compile.ghostWidths[layers[i].name] = widths[i];
    cost += double(widths[i]) * (*demands)[i].cost;
    out << "layer '" << layers[i].name << "': ghost width " << widths[i] << " of at most "
        << (*demands)[i].gains.size() << "\n";
  }
  out << formatv("budget {0}: {1:f4} of the tensor strategy's are used\n", budget.text, cost / whole);
  return Error::success();
}

Error resolveGhostWidths(RunOptions &options) {
  if (!options.autoGhostWidths)
    return Error::success();
  return options.budget ? chooseWidths(options) : readWidths(options);
}

} // namespace phantom::run
