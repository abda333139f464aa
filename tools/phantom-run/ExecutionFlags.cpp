//===- ExecutionFlags.cpp - How a step is computed ------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "ReadFlags.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace phantom::run {

using namespace flags;

namespace {

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

} // namespace

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

} // namespace phantom::run
