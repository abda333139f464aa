//===- OutputFiles.cpp - The files that a run writes ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFiles.h"

#include "phantom-rt/AtomicFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace phantom::run {

namespace {

struct OutputFile {
  StringRef flag, path;
  bool replacesModel = false; ///< it may take the place of the model or of its parameters
};

std::vector<OutputFile> outputsOf(const RunOptions &options) {
  const StringRef save = options.command == Command::Convert ? "-o" : "--save";
  std::vector<OutputFile> all = {{save, options.saveFile, /*replacesModel=*/true},
                                 {"--summary", options.summaryFile},
                                 {"--dump-gradients", options.gradientsFile},
                                 {"--log", options.train.logFile},
                                 {"--trace", options.train.traceFile}};
  for (const rt::NamedFile &output : options.outputs)
    all.push_back({"--outputs", output.path});
  erase_if(all, [](const OutputFile &output) { return output.path.empty(); });
  return all;
}

std::vector<StringRef> dataOf(const RunOptions &options) {
  std::vector<StringRef> all;
  for (const rt::DataFiles *files :
       {&options.train.data, &options.evaluation, &options.inference, &options.calibration}) {
    for (const rt::NamedFile &input : files->inputs)
      all.push_back(input.path);
    append_range(all, files->targets);
  }
  return all;
}

/// Devices and pipes may be written to more than once.
bool isSame(StringRef a, StringRef b) {
  if (sys::fs::exists(a) || sys::fs::exists(b))
    return sys::fs::is_regular_file(a) && sys::fs::equivalent(a, b);
  SmallString<256> first(a), second(b);
  for (SmallString<256> *path : {&first, &second}) {
    (void)sys::fs::make_absolute(*path);
    sys::path::remove_dots(*path, /*remove_dot_dot=*/true);
  }
  return first == second;
}

} // namespace

Error checkOutputNames(const RunOptions &options) {
  const std::vector<OutputFile> outputs = outputsOf(options);
  const std::vector<StringRef> data = dataOf(options);
  const StringRef others[] = {options.model, options.session.parameterFile, options.train.machineFile,
                              options.train.energy.file};
  for (const auto &[i, output] : enumerate(outputs)) {
    auto isOutput = [path = output.path](StringRef file) { return !file.empty() && isSame(path, file); };
    for (const OutputFile &earlier : ArrayRef(outputs).take_front(i))
      if (isOutput(earlier.path))
        return createStringError(output.flag + " " + output.path + ": " + earlier.flag +
                                 " names the same file");
    if (any_of(data, isOutput) || (!output.replacesModel && any_of(others, isOutput)))
      return createStringError(output.flag + " " + output.path +
                               ": the run reads this file; name another one");
  }
  return Error::success();
}

Error checkOutputsCanBeWritten(const RunOptions &options) {
  if (!options.isRoot())
    return Error::success();
  for (const OutputFile &output : outputsOf(options))
    if (Error error = rt::checkCanWrite(output.path))
      return error;
  return Error::success();
}

} // namespace phantom::run
