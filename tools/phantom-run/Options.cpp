//===- Options.cpp - The command line of phantom-run ------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"
#include "Report.h"
#include "SimFaults.h"

#include "phantom-rt/Schedule.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"

#include <cmath>

using namespace llvm;

namespace phantom::run {
namespace {

cl::SubCommand trainCommand("train", "train a model on data, and evaluate it on held-out data");
cl::SubCommand evalCommand("eval", "print a model's loss and accuracy on data");
cl::SubCommand inferCommand("infer", "write a model's outputs for data");
cl::SubCommand compileCommand("compile", "write a folder that the other commands run without compiling");
cl::SubCommand convertCommand("convert", "make a phantom model of a dense one, and print what that loses");
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

cl::OptionCategory partitionFlags("Partition"), dataFlags("Data"), trainingFlags("Training"),
    outputFlags("Output"), executionFlags("Execution");

/// All flags of a kind, in the order of their declarations.
template <typename Flag> std::vector<const Flag *> &allFlags() {
  static std::vector<const Flag *> flags;
  return flags;
}

/// A flag whose text is checked by us, so that every error is one line that says what is allowed.
struct Text : cl::opt<std::string> {
  Text(const char *name, cl::SubCommandGroup &group, cl::OptionCategory &category, const char *value,
       const char *help, const char *initial = "")
      : cl::opt<std::string>(StringRef(name), cl::desc(help), cl::value_desc(value),
                             cl::init(std::string(initial)), cl::sub(group), cl::cat(category)) {
    allFlags<Text>().push_back(this);
  }
  bool given() const { return getNumOccurrences() > 0; }
};

struct Switch : cl::opt<bool> {
  Switch(const char *name, cl::SubCommandGroup &group, cl::OptionCategory &category, const char *help)
      : cl::opt<bool>(StringRef(name), cl::desc(help), cl::init(false), cl::sub(group), cl::cat(category)) {
    allFlags<Switch>().push_back(this);
  }
};

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

/// The flags whose values a compiled folder has: what depends on them was decided when it was made.
const Text *const compiledTexts[] = {
    &strategy,  &ranks,       &ghostWidth,   &budget,      &select,         &firstLayer,       &lastLayer,
    &init,      &constants,   &batchSize,    &dataDir,     &loss,           &momentum,         &optimizer,
    &trainable, &weightDecay, &frozen,       &gemm,        &precision,      &sharedParameters, &disablePass,
    &clipNorm,  &accumulate,  &weightDecays, &rateFactors, &labelSmoothing, &exchangeEncoding};
const Switch *const compiledSwitches[] = {&noOverlap, &noFusion, &autotune, &recompute};

Error flagError(const Text &flag, const Twine &message) {
  return createStringError("--" + flag.ArgStr + " " + flag.getValue() + ": " + message);
}

Error notInThisVersion(StringRef what) { return createStringError(what + " is not in this version"); }

Expected<int64_t> integer(const Text &flag, int64_t least, int64_t most = INT64_MAX) {
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

template <typename T> Expected<T> choice(const Text &flag, ArrayRef<std::pair<StringRef, T>> choices) {
  std::string names;
  for (auto [name, value] : choices) {
    if (name == StringRef(flag))
      return value;
    names += (names.empty() ? "" : ", ") + name.str();
  }
  return flagError(flag, "unknown; use one of " + names);
}

/// Moves the value of `from` to `to`.
template <typename T, typename U> Error assign(T &to, Expected<U> from) {
  if (!from)
    return from.takeError();
  to = static_cast<T>(*from);
  return Error::success();
}

/// Runs the checks in turn, up to the first that fails.
Error firstError(std::initializer_list<function_ref<Error()>> checks) {
  for (function_ref<Error()> check : checks)
    if (Error error = check())
      return error;
  return Error::success();
}

Error refuseLaterFlags() {
  if (communicator.getValue() == "mpi")
    return notInThisVersion("--communicator mpi");
  if (dataParallel.getValue() != "1")
    return notInThisVersion("--data-parallel " + dataParallel.getValue());
  return Error::success();
}

/// "x.npy" or "name=x.npy,other=y.npy".
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

/// The first communicator of a device is the one that it has without the flag.
ArrayRef<StringRef> communicatorsOf(Device device) {
  static const StringRef cpu[] = {"threads"}, cuda[] = {"nccl", "loopback"}, sim[] = {"sim", "loopback"};
  switch (device) {
  case Device::Cpu:
    return cpu;
  case Device::Cuda:
    return cuda;
  case Device::Sim:
    return sim;
  }
  llvm_unreachable("unknown device");
}

/// Flags that say how a CPU computes.
Error refuseFlagsOfCpus() {
  for (const Text *flag : {&gemm, &threadsPerRank})
    if (flag->given())
      return flagError(*flag, "only for --device cpu");
  if (precision.getValue() == "f64")
    return flagError(precision, "only for --device cpu");
  return Error::success();
}

Error readDevice(RunOptions &options) {
  if (Error error = assign(
          options.device,
          choice<Device>(device, {{"cpu", Device::Cpu}, {"cuda", Device::Cuda}, {"sim", Device::Sim}})))
    return error;
  ArrayRef<StringRef> communicators = communicatorsOf(options.device);
  if (communicator.given() && !is_contained(communicators, communicator.getValue()))
    return flagError(communicator,
                     "not with --device " + device.getValue() + "; use " + join(communicators, " or "));
  if (communicator.getValue() == "loopback")
    options.exchange = rt::GpuExchange::Loopback;
  if (simSeed.given() && options.device != Device::Sim)
    return flagError(simSeed, "only for --device sim");
  if (Error error = assign(options.simSeed, integer(simSeed, 0)))
    return error;
  options.compile.fuseGradientEpilogues = gradientEpilogues;
  if (gradientEpilogues && options.device == Device::Cpu)
    return createStringError("--gradient-epilogues: only for GPUs (--device cuda or sim)");
  if (gradientEpilogues && noFusion)
    return createStringError("--gradient-epilogues needs the epilogues that --no-fusion leaves out");
  if (options.device == Device::Cpu)
    return Error::success();
  if (options.command == Command::Compile || options.isCompiled)
    return flagError(device, "compiled folders are for CPUs; name the model itself, or leave the flag out");
  return refuseFlagsOfCpus();
}

Error readSimFaults(RunOptions &options) {
  if (!simFaults.given())
    return Error::success();
  if (options.device != Device::Sim)
    return flagError(simFaults, "only for --device sim");
  if (Error error = parseSimFaults(simFaults, options.compile.ranks).moveInto(options.simFaults))
    return flagError(simFaults, toString(std::move(error)));
  const bool hasRanks = !options.simFaults.deadRanks.empty() || !options.simFaults.slowRanks.empty() ||
                        !options.simFaults.asyncErrors.empty();
  if (hasRanks && options.exchange == rt::GpuExchange::Loopback)
    return flagError(simFaults, "faults of ranks are NCCL's: not with --communicator loopback");
  return Error::success();
}

std::optional<std::string> variable(StringRef name) { return sys::Process::GetEnv(name); }

/// What needs all ranks in one process.
Error refuseFlagsOfOneProcess(const RunOptions &options) {
  const Text *refused = options.device == Device::Sim                                ? &device
                        : options.exchange == rt::GpuExchange::Loopback              ? &communicator
                        : calibration.given()                                        ? &calibration
                        : energy.getValue() == "nvml" || energy.getValue() == "rapl" ? &energy
                                                                                     : nullptr;
  if (refused)
    return flagError(*refused, "not with ranks in several processes (--rendezvous)");
  if (autotune)
    return createStringError(
        "--autotune: not with ranks in several processes (--rendezvous), which would choose "
        "differently; compile --autotune writes a folder for all");
  return Error::success();
}

Error readPlace(rt::ProcessPlace &place) {
  if (Error error = rt::parseRendezvous(rendezvous, variable, place))
    return createStringError("--rendezvous " + toString(std::move(error)));
  std::optional<rt::LauncherPlace> launched;
  if (!processRank.given()) {
    if (Error error = rt::readLauncher(variable).moveInto(launched))
      return error;
    if (!launched)
      return flagError(rendezvous,
                       "which rank is this process? Start it by mpirun, srun or torchrun, or give "
                       "--process-rank");
    place.rank = launched->rank;
    place.size = launched->size;
  } else if (Error error = assign(place.rank, integer(processRank, 0, 1023))) {
    return error;
  }
  place.localRank = launched ? launched->localRank.value_or(place.rank) : place.rank;
  return localRank.given() ? assign(place.localRank, integer(localRank, 0, 1023)) : Error::success();
}

Error readProcesses(RunOptions &options) {
  if (!rendezvous.given()) {
    for (const Text *flag : {&processRank, &localRank})
      if (flag->given())
        return flagError(*flag, "needs --rendezvous, the place where the processes meet");
    return Error::success();
  }
  if (Error error = refuseFlagsOfOneProcess(options))
    return error;
  return readPlace(options.place.emplace());
}

Error readGemm(RunOptions &options) {
  using Kernel = std::optional<rt::GemmKernel>;
  SmallVector<std::pair<StringRef, Kernel>> choices = {{"auto", std::nullopt}, {"reference", std::nullopt}};
  for (rt::GemmKernel kernel : rt::gemmKernels)
    choices.emplace_back(rt::nameOf(kernel), kernel);
  options.compile.referenceGemm = gemm.getValue() == "reference";
  if (Error error = assign(options.session.gemms.forced, choice<Kernel>(gemm, choices)))
    return error;
  if (autotune && gemm.getValue() != "auto")
    return createStringError("--autotune chooses from the libraries, and --gemm " + gemm.getValue() +
                             " has chosen: leave one of them out");
  options.autotune = autotune;
  return Error::success();
}

/// Also sorts the names, so that a compiled folder keeps one spelling of them.
Error readDisabledPasses(Optimizations &optimizations) {
  SmallVector<StringRef> names;
  std::string value = disablePass;
  StringRef(value).split(names, ',', -1, /*KeepEmpty=*/false);
  for (StringRef name : names)
    if (!disable(optimizations, name))
      return flagError(disablePass,
                       "unknown pass '" + name + "'; use some of " + join(optimizationNames(), ", "));
  if (names.empty() && disablePass.given())
    return flagError(disablePass, "names no pass; use some of " + join(optimizationNames(), ", "));
  llvm::sort(names);
  names.erase(llvm::unique(names), names.end());
  disablePass.setValue(join(names, ","));
  return Error::success();
}

Error readPrecision(RunOptions &options) {
  using mlir::phantom::Precision, mlir::phantom::WireEncoding;
  CompileOptions &compile = options.compile;
  if (Error error = firstError(
          {[&] {
             return assign(compile.precision, choice<Precision>(precision, {{"f32", Precision::F32},
                                                                            {"bf16", Precision::BF16},
                                                                            {"f64", Precision::F64}}));
           },
           [&] {
             return assign(compile.exchangeEncoding,
                           choice<WireEncoding>(exchangeEncoding, {{"f32", WireEncoding::F32},
                                                                   {"bf16", WireEncoding::BF16},
                                                                   {"int8", WireEncoding::Int8}}));
           }}))
    return error;
  if (compile.precision != Precision::F64)
    return Error::success();
  if (compile.exchangeEncoding != WireEncoding::F32)
    return flagError(exchangeEncoding, "not with --precision f64, which is an oracle");
  if (!compile.referenceGemm && !options.isCompiled)
    return createStringError("--precision f64 needs --gemm reference");
  return Error::success();
}

Error readExecution(RunOptions &options) {
  CompileOptions &compile = options.compile;
  bool bindCores = true;
  if (Error error = firstError(
          {[&] { return readGemm(options); }, [&] { return readPrecision(options); },
           [&] { return assign(bindCores, choice<bool>(bind, {{"core", true}, {"none", false}})); },
           [&] { return assign(options.session.timeoutSeconds, number(timeout, 0.001)); },
           [&] { return assign(options.session.threadsPerRank, integer(threadsPerRank, 1, 1024)); },
           [&] { return assign(options.session.seed, integer(seed, 0)); }}))
    return error;
  compile.optimizations.fuseEpilogues = !noFusion;
  compile.optimizations.overlapExchanges = !noOverlap;
  if (Error error = readDisabledPasses(compile.optimizations))
    return error;
  compile.recomputeActivations = recompute;
  compile.remarks = remarks;
  options.session.bindThreads = bindCores;
  compile.strict = options.strict = strict;
  return Error::success();
}

Error readData(const Text &inputFlag, const Text *targetFlag, rt::DataFiles &files) {
  if (!inputFlag.given())
    return createStringError("--" + inputFlag.ArgStr +
                             " is missing: name the .npy file of the model's input");
  files.inputs = namedFiles(inputFlag);
  if (Error error = readScales(files))
    return error;
  if (!targetFlag)
    return Error::success();
  if (!targetFlag->given())
    return createStringError("--" + targetFlag->ArgStr + " is missing: name the .npy file of the targets");
  SmallVector<StringRef> paths;
  StringRef(*targetFlag).split(paths, ',', -1, /*KeepEmpty=*/false);
  for (StringRef path : paths)
    files.targets.push_back(path.str());
  return Error::success();
}

Error readLoss(RunOptions &options) {
  return assign(options.compile.loss, choice<LossKind>(loss, {{"cross-entropy", LossKind::CrossEntropy},
                                                              {"mse", LossKind::Mse},
                                                              {"bce", LossKind::Bce}}));
}

/// Of the file that `flag` names.
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

std::vector<std::string> listOf(const Text &flag) {
  SmallVector<StringRef> parts;
  StringRef(flag).split(parts, ',', -1, /*KeepEmpty=*/false);
  return std::vector<std::string>(parts.begin(), parts.end());
}

Error readOptimizer(RunOptions &options) {
  options.compile.trainable = trainable;
  options.compile.frozen = frozen;
  options.compile.weightDecays = listOf(weightDecays);
  options.compile.learningRateFactors = listOf(rateFactors);
  return firstError({[&] {
                       return assign(options.compile.optimizer,
                                     choice<OptimizerKind>(optimizer, {{"sgd", OptimizerKind::Sgd},
                                                                       {"momentum", OptimizerKind::Momentum},
                                                                       {"adam", OptimizerKind::Adam},
                                                                       {"adamw", OptimizerKind::AdamW}}));
                     },
                     [&] { return assign(options.compile.momentum, number(momentum, 0)); },
                     [&] { return assign(options.compile.weightDecay, number(weightDecay, 0)); },
                     [&] { return assign(options.compile.clipNorm, number(clipNorm, 0)); },
                     [&] { return assign(options.compile.accumulate, integer(accumulate, 1)); },
                     [&] { return assign(options.compile.labelSmoothing, number(labelSmoothing, 0)); }});
}

Error readCheckpoints(rt::CheckpointOptions &options) {
  if (!checkpointDir.given()) {
    for (const cl::Option *flag :
         std::initializer_list<const cl::Option *>{&checkpointEvery, &keepCheckpoints, &resume})
      if (flag->getNumOccurrences() > 0)
        return createStringError("--" + flag->ArgStr + " needs --checkpoint-dir");
    return Error::success();
  }
  options.folder = checkpointDir;
  options.resume = resume;
  for (const Text *flag : {&seed, &learningRate, &schedule, &warmup, &inputScale})
    options.flags[flag->ArgStr.str()] = flag->getValue();
  if (options.folder.empty())
    return flagError(checkpointDir, "name a folder");
  if (checkpointEvery.given())
    if (Error error = assign(options.every, integer(checkpointEvery, 1)))
      return error;
  return assign(options.keep, integer(keepCheckpoints, 1));
}

Error readEnergy(RunOptions &options) {
  rt::EnergyOptions &source = options.train.energy;
  if (!energy.given()) {
    if (options.device != Device::Sim)
      return Error::success();
    source.kind = rt::EnergyKind::None;
    source.noneReason = "the counter of --device sim counts no real energy";
    return Error::success();
  }
  if (StringRef file = energy; file.consume_front("external=")) {
    source.kind = rt::EnergyKind::External;
    source.file = file.str();
    return file.empty() ? flagError(energy, "name a file: external=F") : Error::success();
  }
  if (Error error = assign(source.kind, choice<rt::EnergyKind>(energy, {{"none", rt::EnergyKind::None},
                                                                        {"rapl", rt::EnergyKind::Rapl},
                                                                        {"nvml", rt::EnergyKind::Nvml}})))
    return createStringError(toString(std::move(error)) + ", external=F");
  if (source.kind == rt::EnergyKind::Nvml && options.device == Device::Cpu)
    return flagError(energy, "only for --device cuda and sim");
  source.noneReason = "--energy none";
  return Error::success();
}

Error readEvaluation(RunOptions &options) {
  rt::TrainOptions &train = options.train;
  if (evalInputs.given() || evalTargets.given())
    if (Error error = readData(evalInputs, &evalTargets, options.evaluation))
      return error;
  if (targetEvalLoss.given()) {
    if (!evalEvery.given())
      return flagError(targetEvalLoss, "needs --eval-every, the steps between two evaluations");
    if (Error error = assign(train.targetEvalLoss, number(targetEvalLoss, 0)))
      return error;
  }
  if (!evalEvery.given())
    return Error::success();
  if (options.evaluation.inputs.empty())
    return flagError(evalEvery, "needs held-out data: --eval-inputs and --eval-targets");
  train.heldOut = options.evaluation;
  return assign(train.evalEvery, integer(evalEvery, 1));
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

Error readTraining(RunOptions &options) {
  rt::TrainOptions &train = options.train;
  if (Error error = firstError({[&] { return readData(inputs, &targets, train.data); },
                                [&] { return readLoss(options); }, [&] { return readOptimizer(options); },
                                [&] { return assign(train.learningRate, number(learningRate, 0)); },
                                [&] { return assign(train.warmupFraction, number(warmup, 0)); },
                                [&] { return assign(train.schedule, rt::parseSchedule(schedule)); }}))
    return error;
  if (steps.given() == epochs.given())
    return createStringError("give one of --steps and --epochs");
  if (Error error =
          steps.given() ? assign(train.steps, integer(steps, 1)) : assign(train.epochs, integer(epochs, 1)))
    return error;
  if (targetLoss.given())
    if (Error error = assign(train.targetLoss, number(targetLoss, 0)))
      return error;
  if (Error error =
          firstError({[&] { return readEvaluation(options); }, [&] { return readEnergy(options); }}))
    return error;
  train.logFile = log;
  train.traceFile = trace;
  train.machineFile = machine;
  train.progress = !quiet;
  options.gradientsFile = dumpGradients;
  if (!options.gradientsFile.empty() && options.compile.accumulate > 1)
    return flagError(dumpGradients, "gradients are of one part of a step: leave --accumulate out");
  if (Error error =
          firstError({[&] { return readSave(options, save); }, [&] { return readCalibration(options); },
                      [&] { return readCheckpoints(train.checkpoints); }}))
    return error;
  options.summaryFile = summaryFile;
  std::vector<std::string> &functions = options.compile.functions = {"train_step"};
  if (!options.evaluation.inputs.empty())
    functions.push_back("evaluate");
  if (!options.gradientsFile.empty())
    functions.push_back("gradients");
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
    if (Error error = readData(inputs, &targets, options.evaluation))
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
  return options;
}

std::map<std::string, std::string> compiledFlags() {
  std::map<std::string, std::string> values;
  for (const Text *flag : compiledTexts)
    values[flag->ArgStr.str()] = flag->getValue();
  for (const Switch *flag : compiledSwitches)
    values[flag->ArgStr.str()] = flag->getValue() ? "true" : "false";
  return values;
}

rt::Agreement agreedFlags() {
  rt::Agreement agreement;
  for (const Text *flag : allFlags<Text>())
    if (flag->given() && !is_contained({&rendezvous, &processRank, &localRank}, flag))
      agreement.emplace_back("--" + flag->ArgStr.str(), flag->getValue());
  for (const Switch *flag : allFlags<Switch>())
    if (flag->getValue())
      agreement.emplace_back("--" + flag->ArgStr.str(), "");
  return agreement;
}

Error checkAgainstPlan(StringRef compiled, const rt::Plan &plan) {
  auto planned = [&](const cl::Option &flag) {
    auto found = plan.options.find(flag.ArgStr.str());
    return found == plan.options.end() ? StringRef() : StringRef(found->second);
  };
  constexpr StringLiteral advice = "; leave the flag out, or compile the model again";
  for (const Text *flag : compiledTexts) {
    // Parameters of a file may always replace the first values.
    if (!flag->given() || rt::isSameFlagValue(*flag, planned(*flag)) ||
        (flag == &init && StringRef(init).starts_with("from-file=")))
      continue;
    return flagError(*flag, "'" + compiled + "' was compiled " +
                                (planned(*flag).empty() ? "without --" + flag->ArgStr
                                                        : "with --" + flag->ArgStr + " " + planned(*flag)) +
                                advice);
  }
  for (const Switch *flag : compiledSwitches)
    if (flag->getValue() && planned(*flag) != "true")
      return createStringError("--" + flag->ArgStr + ": '" + compiled + "' was compiled without it" + advice);
  return Error::success();
}

} // namespace phantom::run
