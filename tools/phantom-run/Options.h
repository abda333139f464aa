//===- Options.h - The command line of phantom-run --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_OPTIONS_H
#define PHANTOM_RUN_OPTIONS_H

#include "phantom-rt/CompiledFolder.h"
#include "phantom-rt/GhostWidths.h"
#include "phantom-rt/GpuRuntime.h"
#include "phantom-rt/GpuSim.h"
#include "phantom-rt/ProcessGroup.h"
#include "phantom-rt/Report.h"
#include "phantom-rt/Session.h"
#include "phantom/Driver/Compile.h"
#include "phantom/Target/ONNX/Export.h"

namespace phantom::run {

enum class Command { Train, Eval, Infer, Compile, Convert, Report };

enum class Device {
  Cpu,
  Cuda,
  Sim, ///< the double of GPUs
};

/// --budget: what all layers' ghosts may take a rank to, as a part of what the tensor strategy costs it.
struct Budget {
  rt::BudgetUnit unit = rt::BudgetUnit::Parameters;
  double fraction = 0;
  std::string text; ///< as given
};

/// What the command line asks for, checked as far as that goes without the model.
struct RunOptions {
  Command command = Command::Train;
  std::string model;       ///< a file, or a compiled folder
  bool isCompiled = false; ///< `model` is a folder
  std::string folder;      ///< of compile: what to write
  CompileOptions compile;
  bool autoGhostWidths = false; ///< CompileOptions::ghostWidths are still to be found
  std::optional<Budget> budget; ///< for `autoGhostWidths`; nothing: from the session's parameter file
  Device device = Device::Cpu;
  rt::GpuExchange exchange = rt::GpuExchange::Nccl; ///< of GPUs and their double
  uint64_t simSeed = 0;                             ///< of the order in which the double runs what may run
  rt::GpuFaults simFaults;                          ///< what goes wrong on the double
  std::optional<rt::ProcessPlace> place;            ///< nothing: all ranks are in this process
  rt::SessionOptions session;
  rt::TrainOptions train;
  rt::DataFiles evaluation; ///< of `eval`, or held-out data of `train`; no inputs: none
  rt::DataFiles inference;
  rt::DataFiles calibration;          ///< of the start of phantom layers; no inputs: none
  std::vector<rt::NamedFile> outputs; ///< of infer
  std::string gradientsFile;          ///< --dump-gradients
  std::string saveFile;               ///< --save, or what convert writes: .safetensors, or .onnx
  onnx::ExportForm saveForm = onnx::ExportForm::Dense;
  std::string summaryFile;
  std::string strategyName;
  rt::ReportOptions report; ///< of report, which uses nothing else
  bool strict = false;
  bool autotune = false; ///< measure which library, or which kernel of cuBLASLt, computes each GEMM fastest

  /// Whether this process writes what a run writes.
  bool isRoot() const { return !place || place->rank == 0; }
  bool savesOnnx() const { return llvm::StringRef(saveFile).ends_with(".onnx"); }
};

/// Parses and checks the command line. A request for help or the version is answered, and ends the process.
llvm::Expected<RunOptions> parseCommandLine(int argc, char **argv);

/// The values of the flags that a compiled folder keeps, by name: Plan::options.
std::map<std::string, std::string> compiledFlags();

/// What the processes of a run must have been given alike: all flags but those that say which process it is.
rt::Agreement agreedFlags();

/// Checks that no flag contradicts what the folder `compiled` was compiled for.
llvm::Error checkAgainstPlan(llvm::StringRef compiled, const rt::Plan &plan);

} // namespace phantom::run

#endif // PHANTOM_RUN_OPTIONS_H
