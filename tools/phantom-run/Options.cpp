//===- Options.cpp - The command line of phantom-run ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Flags.h"
#include "OutputFiles.h"
#include "ReadFlags.h"
#include "Report.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace llvm;

namespace phantom::run {

using namespace flags;

namespace {

Error notInThisVersion(StringRef what) { return createStringError(what + " is not in this version"); }

Error refuseLaterFlags() {
  if (communicator.getValue() == "mpi")
    return notInThisVersion("--communicator mpi");
  if (dataParallel.getValue() != "1")
    return notInThisVersion("--data-parallel " + dataParallel.getValue());
  return Error::success();
}

Error readCompile(RunOptions &options) {
  if (!folder.given() || folder.empty())
    return createStringError("-o is missing: name the folder to write");
  options.folder = folder;
  std::vector<std::string> &functions = options.compile.functions;
  SmallVector<StringRef> names;
  StringRef(commands).split(names, ',', -1, /*KeepEmpty=*/false);
  for (StringRef name : names) {
    if (name == "infer")
      functions.push_back("forward");
    else if (name == "eval")
      functions.push_back("evaluate");
    else if (name == "train")
      append_range(functions, std::initializer_list<const char *>{"train_step", "gradients"});
    else
      return flagError(commands, "'" + name + "' is unknown; use some of train, eval, infer");
  }
  if (functions.empty())
    return flagError(commands, "name at least one of train, eval, infer");
  if (is_contained(functions, "evaluate") || is_contained(functions, "train_step"))
    if (Error error = readLoss(options))
      return error;
  return readOptimizer(options);
}

Error readConvert(RunOptions &options) {
  if (!converted.given() ||
      !(StringRef(converted).ends_with(".safetensors") || StringRef(converted).ends_with(".onnx")))
    return createStringError("-o is missing or names no file to write: give -o F.safetensors or -o F.onnx");
  if (options.isCompiled)
    return createStringError("'" + options.model + "' is a compiled folder; convert the model itself");
  if (options.device != Device::Cpu)
    return flagError(device, "convert runs on the CPU; leave the flag out");
  if (options.compile.strategy != Strategy::Phantom)
    return flagError(strategy, "convert makes phantom layers; leave the flag out");
  if (init.getValue() != "from-dense")
    return flagError(init, "convert starts from the dense weights; leave the flag out");
  options.compile.functions = {"forward"};
  options.summaryFile = summaryFile;
  if (Error error = readCalibration(options))
    return error;
  return readSave(options, converted);
}

Error readCommand(RunOptions &options) {
  switch (options.command) {
  case Command::Compile:
    return readCompile(options);
  case Command::Convert:
    return readConvert(options);
  case Command::Train:
    return readTraining(options);
  case Command::Eval:
    options.compile.functions = {"evaluate"};
    if (Error error = readData(inputs, targets, options.evaluation))
      return error;
    return readLoss(options);
  case Command::Infer:
    options.compile.functions = {"forward"};
    options.outputs = namedFiles(outputs);
    if (options.outputs.empty())
      return createStringError("--outputs is missing: name the .npy file to write");
    // A model may have no inputs; one that has says which file is missing.
    options.inference.inputs = namedFiles(inputs);
    return readScales(options.inference);
  case Command::Report:
    break;
  }
  llvm_unreachable("unknown command");
}

} // namespace

Expected<RunOptions> parseCommandLine(int argc, char **argv) {
  // All of ours belong to a command; those of the top level are LLVM's own.
  cl::HideUnrelatedOptions(trainingFlags);
  simFaults.setHiddenFlag(cl::Hidden);
  std::string problems;
  raw_string_ostream stream(problems);
  bool parsed = cl::ParseCommandLineOptions(
      argc, argv,
      "Trains, evaluates and runs feed-forward models over ranks.\n\n"
      "  phantom-run train model.onnx --ranks 4 --ghost-width 8 --inputs x.npy --targets y.npy …\n"
      "  phantom-run compile model.onnx --ranks 4 --ghost-width 8 -o compiled\n"
      "  phantom-run train compiled --inputs x.npy --targets y.npy …\n"
      "  phantom-run convert model.onnx --ranks 4 --ghost-width 8 -o converted.safetensors\n"
      "  phantom-run report log.jsonl … -o report.html\n",
      &stream, nullptr, nullptr, /*LongOptionsUseDoubleDash=*/true);
  if (!parsed) {
    StringRef line = StringRef(problems).trim().split('\n').first;
    line.consume_front(StringRef(argv[0]));
    line.consume_front(": ");
    return createStringError(line);
  }
  RunOptions options;
  if (isReport()) {
    options.command = Command::Report;
    if (Error error = assign(options.report, readReportFlags()))
      return error;
    return options;
  }
  if (trainCommand)
    options.command = Command::Train;
  else if (evalCommand)
    options.command = Command::Eval;
  else if (inferCommand)
    options.command = Command::Infer;
  else if (compileCommand)
    options.command = Command::Compile;
  else if (convertCommand)
    options.command = Command::Convert;
  else
    return createStringError("name a command: train, eval, infer, compile, convert or report; 'phantom-run "
                             "train --help' lists its flags");
  options.model = model;
  if (options.model.empty())
    return createStringError("name a model (.onnx or .mlir)");
  options.isCompiled = options.command != Command::Compile && sys::fs::is_directory(options.model);
  if (Error error =
          firstError({[&] { return refuseLaterFlags(); }, [&] { return readDevice(options); },
                      [&] { return readPartition(options); }, [&] { return readSimFaults(options); },
                      [&] { return readExecution(options); }, [&] { return readProcesses(options); },
                      [&] { return readCommand(options); }}))
    return error;
  if (batchSize.given())
    if (Error error = assign(options.compile.batchSize, integer(batchSize, 1)))
      return error;
  if (Error error = checkOutputNames(options))
    return error;
  if (!options.place)
    if (Error error = checkOutputsCanBeWritten(options))
      return error;
  return options;
}

} // namespace phantom::run
