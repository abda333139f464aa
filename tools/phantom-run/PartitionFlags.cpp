//===- PartitionFlags.cpp - How the model is divided ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "ReadFlags.h"

#include <cmath>
#include <cstring>

using namespace llvm;

namespace phantom::run {

using namespace flags;

namespace {

/// "4", "fc1=4,fc2=8", "4,fc2=8" or "auto".
Error readGhostWidths(RunOptions &options) {
  options.autoGhostWidths = ghostWidth.getValue() == "auto";
  if (options.autoGhostWidths)
    return Error::success();
  SmallVector<StringRef> parts;
  StringRef(ghostWidth.getValue()).split(parts, ',');
  bool hasDefault = false;
  for (StringRef part : parts) {
    const bool single = part.contains('=');
    auto [name, text] = part.rsplit('=');
    int64_t width = 0;
    if ((single ? text : part).getAsInteger(10, width) || width < 0 || (single && name.empty()))
      return flagError(ghostWidth, "use a whole number, LAYER=K[,...] or auto");
    if (single ? !options.compile.ghostWidths.try_emplace(name.str(), width).second : hasDefault)
      return flagError(ghostWidth, single ? "names '" + name + "' twice" : "has two widths for all layers");
    if (!single)
      options.compile.ghostWidth = width;
    hasDefault |= !single;
  }
  return Error::success();
}

Error readBudget(RunOptions &options) {
  if (!budget.given()) {
    if (options.autoGhostWidths && options.session.parameterFile.empty())
      return flagError(ghostWidth, "needs --budget, or --init from-file=F for the widths in that file");
    return Error::success();
  }
  if (!options.autoGhostWidths)
    return flagError(budget, "needs --ghost-width auto");
  if (init.getValue() != "from-dense")
    return flagError(budget, "needs the dense weights: only with --init from-dense");
  if (strategy.getValue() != "phantom")
    return flagError(budget, "only with --strategy phantom");
  auto [unit, fraction] = StringRef(budget).split('=');
  Budget result;
  result.text = budget;
  const std::pair<StringRef, rt::BudgetUnit> units[] = {{"bytes", rt::BudgetUnit::Bytes},
                                                        {"flops", rt::BudgetUnit::Flops},
                                                        {"parameters", rt::BudgetUnit::Parameters}};
  const auto *found = find_if(units, [&](const auto &entry) { return entry.first == unit; });
  if (found == std::end(units) || fraction.getAsDouble(result.fraction) || !std::isfinite(result.fraction) ||
      result.fraction < 0)
    return flagError(budget,
                     "use bytes=F, flops=F or parameters=F, with a fraction F of the tensor strategy's");
  result.unit = found->second;
  options.budget = result;
  return Error::success();
}

} // namespace

Error readPartition(RunOptions &options) {
  CompileOptions &compile = options.compile;
  options.strategyName = strategy;
  compile.select = select;
  compile.dataDir = dataDir;
  using Mode = onnx::SharedParameterMode;
  if (Error error =
          assign(compile.sharedParameters,
                 choice<Mode>(sharedParameters,
                              {{"auto", Mode::Auto}, {"keep", Mode::Keep}, {"separate", Mode::Separate}})))
    return error;
  for (const rt::NamedFile &file : namedFiles(constants)) {
    if (file.name.empty())
      return flagError(constants, "name the input of each file: NAME=F.npy");
    if (!compile.constants.try_emplace(file.name, file.path).second)
      return flagError(constants, "names '" + file.name + "' twice");
  }
  if (StringRef(init).consume_front("from-file=")) {
    if (options.command == Command::Compile)
      return flagError(init, "parameters are read when the folder is run: give it to train, eval or infer");
    options.session.parameterFile = StringRef(init).drop_front(strlen("from-file=")).str();
    if (options.session.parameterFile.empty())
      return flagError(init, "name a file: from-file=F.safetensors");
  } else if (Error error = assign(compile.init, choice<InitStart>(init, {{"from-dense", InitStart::FromDense},
                                                                         {"random", InitStart::Random}}))) {
    return createStringError(toString(std::move(error)) + ", from-file=F");
  }
  return firstError(
      {[&] {
         return assign(compile.strategy, choice<Strategy>(strategy, {{"phantom", Strategy::Phantom},
                                                                     {"tensor", Strategy::Tensor},
                                                                     {"megatron", Strategy::Megatron}}));
       },
       [&] { return assign(compile.ranks, integer(ranks, 1, 1024)); },
       [&] { return readGhostWidths(options); }, [&] { return readBudget(options); },
       [&] {
         return assign(compile.firstLayer,
                       choice<FirstLayer>(firstLayer,
                                          {{"dense", FirstLayer::Dense}, {"phantom", FirstLayer::Phantom}}));
       },
       [&] {
         return assign(compile.lastLayer, choice<LastLayer>(lastLayer, {{"reduce", LastLayer::Reduce},
                                                                        {"phantom", LastLayer::Phantom}}));
       }});
}

} // namespace phantom::run
