//===- Flags.h - The flags of phantom-run -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RUN_FLAGS_H
#define PHANTOM_RUN_FLAGS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

/// All flags but those of `report`, with their texts as given.
namespace phantom::run::flags {

/// All flags of a kind, in the order of their declarations.
template <typename Flag> std::vector<const Flag *> &allFlags() {
  static std::vector<const Flag *> flags;
  return flags;
}

/// A flag whose text is checked by us, so that every error is one line that says what is allowed.
struct Text : llvm::cl::opt<std::string> {
  Text(const char *name, llvm::cl::SubCommandGroup &group, llvm::cl::OptionCategory &category,
       const char *value, const char *help, const char *initial = "")
      : llvm::cl::opt<std::string>(llvm::StringRef(name), llvm::cl::desc(help), llvm::cl::value_desc(value),
                                   llvm::cl::init(std::string(initial)), llvm::cl::sub(group),
                                   llvm::cl::cat(category)) {
    allFlags<Text>().push_back(this);
  }
  bool given() const { return getNumOccurrences() > 0; }
};

struct Switch : llvm::cl::opt<bool> {
  Switch(const char *name, llvm::cl::SubCommandGroup &group, llvm::cl::OptionCategory &category,
         const char *help)
      : llvm::cl::opt<bool>(llvm::StringRef(name), llvm::cl::desc(help), llvm::cl::init(false),
                            llvm::cl::sub(group), llvm::cl::cat(category)) {
    allFlags<Switch>().push_back(this);
  }
};

extern llvm::cl::SubCommand trainCommand, evalCommand, inferCommand, compileCommand, convertCommand;
extern llvm::cl::OptionCategory trainingFlags;

extern llvm::cl::opt<std::string> model;
extern Text strategy, ranks, ghostWidth, budget, select, firstLayer, lastLayer, init, dataParallel;
extern Text inputs, inputScale, constants, targets, calibration, evalInputs, evalTargets, batchSize, dataDir;
extern Text sharedParameters;
extern Text loss, optimizer, learningRate, momentum, weightDecay, weightDecays, rateFactors, clipNorm,
    accumulate, labelSmoothing, schedule, warmup, trainable, frozen, steps, epochs, targetLoss, evalEvery,
    targetEvalLoss, seed;
extern Switch recompute;
extern Text precision, exchangeEncoding, gemm, device, communicator, simSeed, simFaults, rendezvous,
    processRank, localRank, timeout, bind, threadsPerRank, disablePass;
extern Switch autotune, strict, remarks, noOverlap, gradientEpilogues, noFusion;
extern Text folder, converted, commands, outputs, log, trace, energy, machine, summaryFile, dumpGradients,
    save;
extern Switch dense, factored, quiet;
extern Text checkpointDir, checkpointEvery, keepCheckpoints;
extern Switch resume;

/// "--flag value: message".
llvm::Error flagError(const Text &flag, const llvm::Twine &message);

/// The value of the flag, or an error that says what is allowed.
llvm::Expected<int64_t> integer(const Text &flag, int64_t least, int64_t most = INT64_MAX);
llvm::Expected<double> number(const Text &flag, double least);

/// What the flag's text stands for.
template <typename T>
llvm::Expected<T> choice(const Text &flag, llvm::ArrayRef<std::pair<llvm::StringRef, T>> choices) {
  std::string names;
  for (auto [name, value] : choices) {
    if (name == llvm::StringRef(flag))
      return value;
    names += (names.empty() ? "" : ", ") + name.str();
  }
  return flagError(flag, "unknown; use one of " + names);
}

/// Its parts between commas.
std::vector<std::string> listOf(const Text &flag);

/// Moves the value of `from` to `to`.
template <typename T, typename U> llvm::Error assign(T &to, llvm::Expected<U> from) {
  if (!from)
    return from.takeError();
  to = static_cast<T>(*from);
  return llvm::Error::success();
}

/// Runs the checks in turn, up to the first that fails.
llvm::Error firstError(std::initializer_list<llvm::function_ref<llvm::Error()>> checks);

} // namespace phantom::run::flags

#endif // PHANTOM_RUN_FLAGS_H
