//===- phantom-mutation-gate.cpp - The gate on a model's training step ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Gate.h"

#include "phantom-rt/GpuKernels.h"
#include "phantom-rt/GpuSim.h"
#include "phantom/Driver/Compile.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace phantom;

static cl::opt<std::string> model(cl::Positional, cl::Required, cl::desc("<model.onnx>"));
static cl::opt<std::string> strategy("strategy", cl::desc("phantom, tensor or megatron"),
                                     cl::init("phantom"));
static cl::opt<int> ranks("ranks", cl::init(2)), ghostWidth("ghost-width", cl::init(2)),
    batch("batch-size", cl::init(4));
static cl::opt<std::string> loss("loss", cl::desc("cross-entropy or mse"), cl::init("mse"));
static cl::opt<bool> blind("blind", cl::desc("ignore what the double reports: the gate must fail"));

static Expected<int> run() {
  CompileOptions options;
  options.strategy = StringSwitch<Strategy>(strategy)
                         .Case("tensor", Strategy::Tensor)
                         .Case("megatron", Strategy::Megatron)
                         .Default(Strategy::Phantom);
  options.ranks = ranks;
  options.ghostWidth = options.strategy == Strategy::Phantom ? int(ghostWidth) : 0;
  options.batchSize = batch;
  options.functions = {"train_step"};
  options.loss = loss == "cross-entropy" ? LossKind::CrossEntropy : LossKind::Mse;
  options.gpu.image = mlir::phantom::GpuImage::None;
  options.gpu.twins = true;
  Expected<rt::CompiledGpuProgram> compiled = compileModelForGpu(model, options);
  if (!compiled)
    return compiled.takeError();
  Expected<rt::LinkedTwins> twins = rt::linkTwins(*compiled, phantom_twin_barrier);
  if (!twins)
    return twins.takeError();
  mutation::GateOptions gate;
  gate.blind = blind;
  Expected<mutation::GateReport> report =
      mutation::runGate(compiled->program, "train_step", rt::registerTwins(twins->twins), gate);
  if (!report)
    return report.takeError();

  outs() << formatv("{0,-8} {1,8} {2,12} {3,12} {4,10} {5,10}\n", "mutants", "all", "by verifier",
                    "by double", "by data", "survive");
  for (const auto &[kind, counts] : report->kinds)
    outs() << formatv("{0,-8} {1,8} {2,12} {3,12} {4,10} {5,10}\n", kind, counts.mutants, counts.byVerifier,
                      counts.byDouble, counts.byData, counts.survivors);
  for (const mutation::Survivor &survivor : report->survivors)
    outs() << "survivor: " << survivor.text
           << (survivor.proven ? " (the same order, and the same data)" : " (NOT proven to change nothing)")
           << "\n";
  outs() << (report->passed() ? "the gate passes\n" : "the gate FAILS\n");
  return report->passed() ? 0 : 1;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv,
                              "Mutates the training step of a model for GPUs, and looks for survivors.\n");
  Expected<int> status = run();
  if (status)
    return *status;
  errs() << "phantom-mutation-gate: error: " << toString(status.takeError()) << "\n";
  return 2;
}
