//===- Flags.cpp - The flags of phantom-run -------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"

#include <cmath>

using namespace llvm;

namespace phantom::run::flags {

cl::SubCommand trainCommand("train", "train a model on data, and evaluate it on held-out data");
cl::SubCommand evalCommand("eval", "print a model's loss and accuracy on data");
cl::SubCommand inferCommand("infer", "write a model's outputs for data");
cl::SubCommand compileCommand("compile", "write a folder that the other commands run without compiling");
cl::SubCommand convertCommand("convert", "make a phantom model of a dense one, and print what that loses");

namespace {

cl::SubCommandGroup everywhere{&trainCommand, &evalCommand, &inferCommand, &compileCommand, &convertCommand};
cl::SubCommandGroup onRanks{&trainCommand, &evalCommand, &inferCommand, &convertCommand};
cl::SubCommandGroup running{&trainCommand, &evalCommand, &inferCommand};
cl::SubCommandGroup withLoss{&trainCommand, &evalCommand, &compileCommand};
cl::SubCommandGroup withTargets{&trainCommand, &evalCommand};
cl::SubCommandGroup withOptimizer{&trainCommand, &compileCommand};
cl::SubCommandGroup trainOnly{&trainCommand};
cl::SubCommandGroup inferOnly{&inferCommand};
cl::SubCommandGroup compileOnly{&compileCommand};
cl::SubCommandGroup convertOnly{&convertCommand};
cl::SubCommandGroup making{&trainCommand, &convertCommand};

cl::OptionCategory partitionFlags("Partition"), dataFlags("Data"), outputFlags("Output"),
    executionFlags("Execution");

} // namespace

cl::OptionCategory trainingFlags("Training");

cl::opt<std::string> model(cl::Positional, cl::desc("<model.onnx | model.mlir | compiled folder>"),
                           cl::sub(everywhere));

Text strategy("strategy", everywhere, partitionFlags, "NAME", "phantom, tensor or megatron", "phantom");
Text ranks("ranks", everywhere, partitionFlags, "P", "ranks of the phantom axis (1)", "1");
Text ghostWidth(
    "ghost-width", everywhere, partitionFlags, "K|LAYER=K[,...]|auto",
    "ghost neurons per rank and layer (0), of single layers, or as --budget or the file of --init says", "0");
Text budget("budget", everywhere, partitionFlags, "UNIT=F",
            "for --ghost-width auto: at most F times the bytes, flops or parameters that a rank has with "
            "--strategy tensor");
Text select("select", everywhere, partitionFlags, "GLOB", "names of the layers to divide (*)", "*");
Text firstLayer("first-layer", everywhere, partitionFlags, "KIND",
                "dense or phantom: the layer with a replicated input", "dense");
Text lastLayer("last-layer", everywhere, partitionFlags, "KIND",
               "reduce or phantom: the layer that makes the output", "reduce");
Text init("init", everywhere, partitionFlags, "START", "from-dense, random or from-file=F.safetensors",
          "from-dense");
Text dataParallel("data-parallel", everywhere, partitionFlags, "D", "not in this version, but for 1", "1");

Text inputs("inputs", running, dataFlags, "[NAME=]F.npy[,...]",
            "model inputs, one row per sample; several files of an input follow one another; for infer also "
            "whole arrays");
Text inputScale("input-scale", running, dataFlags, "[NAME=]F[,...]",
                "what integers in files of a float input are multiplied with, as 0.00392156863 (1/255)");
Text constants("constants", everywhere, dataFlags, "NAME=F.npy[,...]",
               "inputs that become constants of the model: shapes, axes, single numbers");
Text targets("targets", withTargets, dataFlags, "F.npy[,...]", "classes, or values of the output's shape");
Text calibration("calibration", making, dataFlags, "[NAME=]F.npy[,...]",
                 "model inputs on which phantom layers shall start near the dense ones");
Text evalInputs("eval-inputs", trainOnly, dataFlags, "[NAME=]F.npy[,...]", "held-out inputs");
Text evalTargets("eval-targets", trainOnly, dataFlags, "F.npy[,...]", "held-out targets");
Text batchSize("batch-size", everywhere, dataFlags, "B",
               "rows per step, of all ranks (the model's own, or 32)");
Text dataDir("data-dir", everywhere, dataFlags, "DIR",
             "where the model's external data may be (the model's folder)");

Text sharedParameters("shared-parameters", everywhere, dataFlags, "KIND",
                      "auto, keep or separate: what exporters merge because of equal values", "auto");

Text loss("loss", withLoss, trainingFlags, "NAME", "cross-entropy, mse or bce", "cross-entropy");
Text optimizer("optimizer", withOptimizer, trainingFlags, "NAME", "sgd, momentum, adam or adamw", "sgd");
Text learningRate("learning-rate", trainOnly, trainingFlags, "F", "highest learning rate (0.01)", "0.01");
Text momentum("momentum", withOptimizer, trainingFlags, "F", "of momentum (0.9)", "0.9");
Text weightDecay("weight-decay", withOptimizer, trainingFlags, "F", "decay of the weights (0)", "0");
Text weightDecays("weight-decays", withOptimizer, trainingFlags, "GLOB=F[,...]",
                  "another decay for parameters of these names; the last glob that matches counts");
Text rateFactors("learning-rate-factors", withOptimizer, trainingFlags, "GLOB=F[,...]",
                 "factors of the rate of parameters of these names");
Text clipNorm("clip-norm", withOptimizer, trainingFlags, "F",
              "largest norm of the gradients of all parameters together (0: any)", "0");
Text accumulate("accumulate", withOptimizer, trainingFlags, "N",
                "take a step's rows in N equal parts, one after the other, for less memory (1)", "1");
Text labelSmoothing("label-smoothing", withOptimizer, trainingFlags, "F",
                    "part of cross-entropy's wanted distribution that all classes share (0)", "0");
Switch recompute("recompute-activations", withOptimizer, executionFlags,
                 "compute activations again instead of keeping them: less memory, more time");
Text schedule("schedule", trainOnly, trainingFlags, "NAME", "constant, linear, cosine or wsd", "constant");
Text warmup("warmup", trainOnly, trainingFlags, "F", "fraction of the steps in which the rate rises (0)",
            "0");
Text trainable("trainable", withOptimizer, trainingFlags, "GLOB",
               "names of the parameters that are trained (those the import chose)");
Text frozen("frozen", withOptimizer, trainingFlags, "GLOB", "names of parameters that are not trained");
Text steps("steps", trainOnly, trainingFlags, "N", "steps to train");
Text epochs("epochs", trainOnly, trainingFlags, "N", "passes over the data, instead of --steps");
Text targetLoss("target-loss", trainOnly, trainingFlags, "F",
                "stop after the first step with a loss not above F");
Text evalEvery("eval-every", trainOnly, trainingFlags, "N",
               "also evaluate the held-out data after each N steps");
Text targetEvalLoss("target-eval-loss", trainOnly, trainingFlags, "F",
                    "stop after the first of these evaluations with a loss not above F");
Text seed("seed", running, trainingFlags, "S",
          "of random starts, of the data's order, of dropout and of random rounding (0)", "0");

Text precision("precision", everywhere, executionFlags, "TYPE",
               "f32; bf16: the factors of products, with all else in f32; f64 with --gemm reference", "f32");
Text exchangeEncoding("exchange-encoding", everywhere, executionFlags, "TYPE",
                      "what exchanges carry: f32, bf16, or int8 with a scale per row", "f32");
Text
    gemm("gemm", everywhere, executionFlags, "KIND",
         "auto (the fastest by a table), onednn, onednn-packed, onednn-sgemm, openblas, openblas-transposed, "
         "or reference (plain loops)",
         "auto");
Switch autotune("autotune", everywhere, executionFlags,
                "measure which library (on cuda: which kernel of cuBLASLt) is fastest for each GEMM");
Text device("device", everywhere, executionFlags, "NAME",
            "cpu, cuda (NVIDIA GPUs) or sim (GPUs as this machine plays them, for tests)", "cpu");
Text communicator("communicator", everywhere, executionFlags, "NAME",
                  "threads on cpu, nccl on cuda, sim on sim; loopback: all ranks on one GPU (by the device)");
Text simSeed("sim-seed", running, executionFlags, "S",
             "the order in which --device sim runs what may run (0)", "0");
Text simFaults("sim-faults", running, executionFlags, "FAULT[,...]", "what goes wrong on --device sim");
Text rendezvous(
    "rendezvous", running, executionFlags, "HOST:PORT|env",
    "each rank is a process of its own: where they meet, on the machine of rank 0 (env: MASTER_ADDR and "
    "MASTER_PORT)");
Text processRank("process-rank", running, executionFlags, "R",
                 "the rank of this process (as mpirun, srun or torchrun have set it)");
Text localRank("local-rank", running, executionFlags, "L",
               "its number on this machine, which is that of its GPU (likewise, or the rank)");
Text timeout("timeout", onRanks, executionFlags, "SECONDS", "deadline of every wait for another rank (120)",
             "120");
Text bind("bind", onRanks, executionFlags, "KIND", "core (a core per rank) or none", "core");
Text threadsPerRank("threads-per-rank", onRanks, executionFlags, "N", "threads of each rank's GEMMs (1)",
                    "1");
Switch strict("strict", everywhere, executionFlags, "an option that has no effect is an error");
Switch remarks("remarks", everywhere, executionFlags, "print what the compiler's passes did");
Switch noOverlap("no-overlap", everywhere, executionFlags, "wait for each exchange where it starts");
Switch gradientEpilogues("gradient-epilogues", trainOnly, executionFlags,
                         "on GPUs, GEMMs also multiply by slopes and sum bias gradients: fewer kernels");
Switch noFusion("no-fusion", everywhere, executionFlags, "no activations and biases in GEMM epilogues");
Text disablePass("disable-pass", everywhere, executionFlags, "NAME[,...]",
                 "optimisations to leave out: optimize-exchanges, merge-gemms, fuse-epilogues, "
                 "fuse-elementwise, hoist-updates, elide-copies, overlap-exchanges, plan-memory");

Text folder("o", compileOnly, outputFlags, "DIR", "the folder to write");
Text converted("o", convertOnly, outputFlags, "F.safetensors | F.onnx",
               "what to write: parameters, or a model");
Text commands("commands", compileOnly, outputFlags, "NAME[,...]",
              "what the folder can do: train, eval, infer (all of them)", "train,eval,infer");
Text outputs("outputs", inferOnly, outputFlags, "[NAME=]F.npy[,...]",
             "files to write; NAME where the model has several outputs");
Text log("log", trainOnly, outputFlags, "F.jsonl", "one JSON object per step");
Text trace("trace", trainOnly, outputFlags, "F.json", "Chrome trace of the first 10 steps");
Text energy("energy", trainOnly, outputFlags, "SOURCE",
            "what counts joules: nvml (GPUs), rapl (this machine's CPU packages), external=F (a file that "
            "another program appends to) or none (nvml on cuda, else rapl where it can be read)");
Text machine("machine", trainOnly, outputFlags, "F.json", "machine of the modelled energy (generic)");
Text summaryFile("summary", making, outputFlags, "F.json", "what the run came to, as one JSON object");
Text dumpGradients("dump-gradients", trainOnly, outputFlags, "F.safetensors",
                   "gradients at the first values, of the first batch in file order");
Text save("save", trainOnly, outputFlags, "F.safetensors | F.onnx",
          "trained parameters, or the trained model");
Switch dense("dense", making, outputFlags, "a saved F.onnx: one weight per layer (the default)");
Switch factored("factored", making, outputFlags,
                "a saved F.onnx: phantom layers as their factors, smaller and faster");
Switch quiet("quiet", running, outputFlags, "no progress");

Text checkpointDir("checkpoint-dir", trainOnly, outputFlags, "DIR",
                   "a checkpoint of the run's state at its end, and where a signal stops it");
Text checkpointEvery("checkpoint-every", trainOnly, outputFlags, "N", "and after each N steps");
Text keepCheckpoints("keep-checkpoints", trainOnly, outputFlags, "N", "only the newest N of them (3)", "3");
Switch resume("resume", trainOnly, outputFlags, "go on from the newest checkpoint, if there is one");

//===----------------------------------------------------------------------===//
// Their values
//===----------------------------------------------------------------------===//

Error flagError(const Text &flag, const Twine &message) {
  return createStringError("--" + flag.ArgStr + " " + flag.getValue() + ": " + message);
}

Expected<int64_t> integer(const Text &flag, int64_t least, int64_t most) {
  int64_t value = 0;
  if (StringRef(flag).getAsInteger(10, value))
    return flagError(flag, "not a whole number");
  if (value < least || value > most)
    return flagError(flag, most == INT64_MAX ? "must be at least " + Twine(least)
                                             : "must be between " + Twine(least) + " and " + Twine(most));
  return value;
}

Expected<double> number(const Text &flag, double least) {
  double value = 0;
  if (StringRef(flag).getAsDouble(value) || !std::isfinite(value))
    return flagError(flag, "not a number");
  if (value < least)
    return flagError(flag, "must be at least " + std::to_string(least));
  return value;
}

std::vector<std::string> listOf(const Text &flag) {
  SmallVector<StringRef> parts;
  StringRef(flag).split(parts, ',', -1, /*KeepEmpty=*/false);
  return std::vector<std::string>(parts.begin(), parts.end());
}

Error firstError(std::initializer_list<function_ref<Error()>> checks) {
  for (function_ref<Error()> check : checks)
    if (Error error = check())
      return error;
  return Error::success();
}

} // namespace phantom::run::flags
