//===- phantom-run.cpp - Trains, evaluates and runs models ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Convert.h"
#include "GhostWidths.h"
#include "Gpu.h"
#include "Options.h"
#include "OutputFiles.h"
#include "Processes.h"
#include "Save.h"

#include "phantom-rt/MeasureGemms.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#ifdef __GLIBC__
#include <malloc.h>
#endif

using namespace llvm;
using namespace phantom;
using namespace phantom::run;

namespace {

constexpr int kInterrupted = 130; // as a shell reports a process that SIGINT ended

/// An option that had no effect: a warning, or an error under --strict.
Error noEffect(const RunOptions &options, const Twine &what) {
  if (options.strict)
    return createStringError(what + " (--strict)");
  if (options.isRoot())
    errs() << "phantom-run: warning: " << what << "\n";
  return Error::success();
}

Error checkEffects(const RunOptions &options, const rt::Program &program, const Saver &saver) {
  bool ghosts = any_of(program.parameters,
                       [](const rt::Parameter &p) { return StringRef(p.name).ends_with(".compressor"); });
  const CompileOptions &compile = options.compile;
  const bool wanted = compile.ghostWidth > 0 ||
                      any_of(compile.ghostWidths, [](const auto &layer) { return layer.second > 0; });
  if (wanted && !ghosts)
    return noEffect(options, "--ghost-width had no effect: no layer became a phantom layer (strategy '" +
                                 options.strategyName + "', " + Twine(options.compile.ranks) + " ranks)");
  if (saver.isFactoredInVain())
    return noEffect(options, "--factored had no effect: no layer became a phantom layer (strategy '" +
                                 options.strategyName + "', " + Twine(options.compile.ranks) +
                                 " ranks); the model is saved dense");
  return Error::success();
}

void print(const rt::EvaluationReport &report) {
  outs() << formatv("evaluation: {0} rows, loss {1:f6}", report.rows, report.loss);
  if (report.accuracy)
    outs() << formatv(", accuracy {0:P2}", *report.accuracy);
  outs() << "\n";
}

/// A source that was asked for and cannot be read.
Error checkEnergy(const RunOptions &options, const rt::Session &session) {
  const rt::EnergyKind kind = options.train.energy.kind;
  if (kind == rt::EnergyKind::Default || kind == rt::EnergyKind::None)
    return Error::success();
  const rt::EnergyReading reading = session.energySource(options.train.energy)->read();
  return reading.joules ? Error::success() : noEffect(options, "--energy had no effect: " + reading.reason);
}

Expected<int> train(const RunOptions &options, const rt::Program &program, const Saver &saver,
                    rt::Session &session) {
  if (!options.calibration.inputs.empty()) {
    Expected<rt::ConversionReport> report = startFromDense(options, program, session);
    if (!report)
      return report.takeError();
    if (report->layers.empty())
      if (Error error = noEffect(options, "--calibration had no effect: no layer became a phantom layer"))
        return error;
    print(outs(), *report);
  }
  if (!options.gradientsFile.empty())
    if (Expected<double> loss = session.dumpGradients(options.train.data, options.gradientsFile); !loss)
      return loss.takeError();
  if (Error error = checkEnergy(options, session))
    return error;
  Expected<rt::TrainReport> report = session.train(options.train);
  if (!report)
    return report.takeError();
  if (options.isRoot())
    outs() << rt::summary(*report) << "\n";
  if (!options.saveFile.empty())
    if (Error error = saver.save(session))
      return error;
  std::optional<rt::EvaluationReport> evaluation = report->evaluation;
  if (!options.evaluation.inputs.empty()) {
    if (!evaluation)
      if (Error error = session.evaluate(options.evaluation).moveInto(evaluation))
        return error;
    if (options.isRoot())
      print(*evaluation);
  }
  if (!options.summaryFile.empty() && options.isRoot())
    if (Error error = rt::writeSummary(options.summaryFile, program, *report, evaluation))
      return error;
  return report->stopReason == rt::StopReason::Interrupted ? kInterrupted : 0;
}

void prepareSaving(RunOptions &options, Saver &saver) {
  if (options.savesOnnx())
    options.compile.onCompiled = [&](mlir::ModuleOp model, const rt::Program &program) {
      return saver.prepare(model, options.model, program);
    };
}

/// Compiles the model, and checks that the options had an effect.
Expected<rt::CompiledProgram> compileChecked(RunOptions &options, Saver &saver) {
  if (Error error = resolveGhostWidths(options))
    return error;
  prepareSaving(options, saver);
  Expected<rt::CompiledProgram> compiled = compileModel(options.model, options.compile);
  if (!compiled)
    return compiled.takeError();
  const rt::Program &program = compiled->executable.program;
  if (Error error = checkEffects(options, program, saver))
    return error;
  if (options.autotune)
    if (Error error =
            rt::measureGemms(program, teamOptions(options.session)).moveInto(options.session.gemms.measured))
      return error;
  options.train.checkpoints.flags.merge(compiledFlags());
  return compiled;
}

Error writeCompiled(RunOptions &options) {
  if (Error error = rt::checkMayReplace(options.folder))
    return error;
  std::string text;
  options.compile.onCompiled = [&](mlir::ModuleOp model, const rt::Program &) {
    text = printModel(model);
    return mlir::success();
  };
  Saver saver(options);
  Expected<rt::CompiledProgram> compiled = compileChecked(options, saver);
  if (!compiled)
    return compiled.takeError();
  SmallString<128> model(options.model);
  if (std::error_code code = sys::fs::make_absolute(model))
    return createStringError(code, "cannot find '" + options.model + "'");
  rt::Plan plan{model.str().str(), compiledFlags(), std::move(text), options.session.gemms};
  plan.options["batch-size"] = std::to_string(compiled->executable.program.stepRows());
  return rt::writeCompiledFolder(options.folder, *compiled, plan);
}

/// Loads the compiled folder, and checks that it is for what the command line asks for.
Expected<rt::CompiledProgram> loadChecked(RunOptions &options, Saver &saver) {
  Expected<rt::LoadedProgram> loaded = rt::loadCompiledFolder(options.model);
  if (!loaded)
    return loaded.takeError();
  if (Error error = checkAgainstPlan(options.model, loaded->plan))
    return error;
  if (options.compile.remarks)
    if (Error error = noEffect(options, "--remarks had no effect: '" + options.model + "' is compiled"))
      return error;
  const rt::Program &program = loaded->compiled.executable.program;
  for (StringRef needed : options.compile.functions) {
    StringRef name = needed == "forward" ? "infer" : needed;
    StringRef command = name == "infer" ? "infer" : name == "evaluate" ? "eval" : "train";
    if (name == "train_step" ? program.stepFunctions().empty() : !program.function(name.str()))
      return createStringError("'" + options.model + "' was compiled without the command " + command +
                               "; compile the model with --commands " + command);
  }
  options.session.gemms = loaded->plan.gemms;
  options.train.checkpoints.flags.insert(loaded->plan.options.begin(), loaded->plan.options.end());
  options.strategyName = program.strategy;
  options.compile.ranks = program.ranks;
  if (options.savesOnnx())
    if (Error error =
            visitModel(loaded->plan.modelText, options.model + "/model.mlir", [&](mlir::ModuleOp model) {
              return saver.prepare(model, loaded->plan.model, program);
            }))
      return error;
  if (Error error = checkEffects(options, program, saver))
    return error;
  return std::move(loaded->compiled);
}

Error convert(const RunOptions &options, const rt::Program &program, const Saver &saver,
              rt::Session &session) {
  Expected<rt::ConversionReport> report = startFromDense(options, program, session);
  if (!report)
    return report.takeError();
  if (report->layers.empty())
    if (Error error = noEffect(options, "convert had no effect: no layer became a phantom layer (" +
                                            Twine(options.compile.ranks) + " ranks)"))
      return error;
  if (Error error = saver.save(session))
    return error;
  print(outs(), *report);
  return options.summaryFile.empty() ? Error::success() : rt::writeSummary(options.summaryFile, *report);
}

Expected<int> runCommand(RunOptions &options, const rt::Program &program, const Saver &saver,
                         rt::Session &session) {
  if (options.place)
    if (Error error = checkOutputsCanBeWritten(options))
      return error;
  switch (options.command) {
  case Command::Train:
    return train(options, program, saver, session);
  case Command::Eval: {
    Expected<rt::EvaluationReport> report = session.evaluate(options.evaluation);
    if (!report)
      return report.takeError();
    if (options.isRoot())
      print(*report);
    return 0;
  }
  case Command::Infer:
    if (Error error = session.infer(options.inference, options.outputs))
      return error;
    return 0;
  case Command::Convert:
    if (Error error = convert(options, program, saver, session))
      return error;
    return 0;
  case Command::Compile:
  case Command::Report:
    break;
  }
  llvm_unreachable("unknown command");
}

/// Gives the system back what was freed, which is much after a compilation: it would stay beside all that the
/// run allocates.
void trimHeap() {
#ifdef __GLIBC__
  (void)::malloc_trim(0);
#endif
}

Expected<int> runOnCpu(RunOptions &options) {
  Saver saver(options);
  Expected<rt::CompiledProgram> compiled =
      options.isCompiled ? loadChecked(options, saver) : compileChecked(options, saver);
  if (!compiled)
    return compiled.takeError();
  trimHeap();
  const rt::Program &program = compiled->executable.program;
  return onProcesses(options, program, [&]() -> Expected<int> {
    Expected<std::unique_ptr<rt::Session>> session =
        rt::Session::create(compiled->executable, options.session);
    return session ? runCommand(options, program, saver, **session) : session.takeError();
  });
}

Expected<int> runOnGpus(RunOptions &options) {
  Expected<std::unique_ptr<GpuMachine>> machine = GpuMachine::create(options);
  if (!machine)
    return machine.takeError();
  Saver saver(options);
  if (Error error = resolveGhostWidths(options))
    return error;
  prepareSaving(options, saver);
  Expected<const rt::Program *> program = (*machine)->compile(options);
  if (!program)
    return program.takeError();
  if (Error error = checkEffects(options, **program, saver))
    return error;
  options.train.checkpoints.flags.merge(compiledFlags());
  Expected<int> status = onProcesses(options, **program, [&]() -> Expected<int> {
    Expected<std::unique_ptr<rt::Session>> session = (*machine)->load(options);
    return session ? runCommand(options, **program, saver, **session) : session.takeError();
  });
  Error violation = (*machine)->check();
  if (!status)
    return joinErrors(status.takeError(), std::move(violation));
  if (violation)
    return violation;
  return status;
}

Error report(const rt::ReportOptions &options) {
  Expected<std::vector<std::string>> notes = rt::writeReport(options);
  if (!notes)
    return notes.takeError();
  for (const std::string &note : *notes)
    errs() << "phantom-run: note: " << note << "\n";
  return Error::success();
}

Expected<int> runTool(int argc, char **argv) {
  Expected<RunOptions> options = parseCommandLine(argc, argv);
  if (!options)
    return options.takeError();
  if (options->command == Command::Compile) {
    if (Error error = writeCompiled(*options))
      return error;
    return 0;
  }
  if (options->command == Command::Report) {
    if (Error error = report(options->report))
      return error;
    return 0;
  }
  // Until the run answers it, and after that, it must not end the process.
  if (options->command == Command::Train)
    (void)std::signal(SIGUSR1, SIG_IGN);
  return options->device == Device::Cpu ? runOnCpu(*options) : runOnGpus(*options);
}

} // namespace

int main(int argc, char **argv) {
  Expected<int> status = runTool(argc, argv);
  if (status)
    return *status;
  errs() << "phantom-run: error: " << toString(status.takeError()) << "\n";
  return 1;
}
