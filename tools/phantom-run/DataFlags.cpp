//===- DataFlags.cpp - Files that are read, and what is saved -------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "ReadFlags.h"

#include <cmath>

using namespace llvm;

namespace phantom::run {

using namespace flags;

std::vector<rt::NamedFile> namedFiles(StringRef text) {
  std::vector<rt::NamedFile> files;
  SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [name, path] = part.split('=');
    if (path.empty())
      files.push_back({"", name.str()});
    else
      files.push_back({name.str(), path.str()});
  }
  return files;
}

Error readScales(rt::DataFiles &files) {
  for (const rt::NamedFile &entry : namedFiles(inputScale)) {
    double factor = 0;
    if (StringRef(entry.path).getAsDouble(factor))
      return flagError(inputScale, "'" + entry.path + "' is not a number");
    const auto rounded = float(factor);
    if (!(rounded > 0) || !std::isfinite(rounded))
      return flagError(inputScale, "'" + entry.path + "' is not a positive number of f32");
    files.scales.push_back({entry.name, rounded});
  }
  return Error::success();
}

Error readData(const Text &inputFlag, const Text &targetFlag, rt::DataFiles &files) {
  if (!inputFlag.given())
    return createStringError("--" + inputFlag.ArgStr +
                             " is missing: name the .npy file of the model's input");
  files.inputs = namedFiles(inputFlag);
  if (Error error = readScales(files))
    return error;
  if (!targetFlag.given())
    return createStringError("--" + targetFlag.ArgStr + " is missing: name the .npy file of the targets");
  files.targets = listOf(targetFlag);
  return Error::success();
}

Error readCalibration(RunOptions &options) {
  if (!calibration.given())
    return Error::success();
  if (options.isCompiled)
    return flagError(calibration,
                     "'" + options.model +
                         "' is compiled; give it what convert writes: --init from-file=F.safetensors");
  if (init.getValue() != "from-dense")
    return flagError(calibration, "only with --init from-dense");
  options.calibration.inputs = namedFiles(calibration);
  if (options.calibration.inputs.empty())
    return flagError(calibration, "name the .npy file of the model's input");
  return Error::success();
}

Error readSave(RunOptions &options, const Text &flag) {
  options.saveFile = flag;
  if (dense && factored)
    return createStringError("give one of --dense and --factored");
  if ((dense || factored) && !options.savesOnnx())
    return createStringError(Twine(dense ? "--dense" : "--factored") + " needs " +
                             (flag.ArgStr.size() > 1 ? "--" : "-") + flag.ArgStr + " F.onnx");
  if (factored)
    options.saveForm = onnx::ExportForm::Factored;
  return Error::success();
}

} // namespace phantom::run
