//===- FlagAgreement.cpp - What other processes and folders must agree with ===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Flags.h"
#include "Options.h"

using namespace llvm;

namespace phantom::run {

using namespace flags;

/// The flags whose values a compiled folder has: what depends on them was decided when it was made.
const Text *const compiledTexts[] = {
    &strategy,  &ranks,       &ghostWidth,   &budget,      &select,         &firstLayer,       &lastLayer,
    &init,      &constants,   &batchSize,    &dataDir,     &loss,           &momentum,         &optimizer,
    &trainable, &weightDecay, &frozen,       &gemm,        &precision,      &sharedParameters, &disablePass,
    &clipNorm,  &accumulate,  &weightDecays, &rateFactors, &labelSmoothing, &exchangeEncoding};
const Switch *const compiledSwitches[] = {&noOverlap, &noFusion, &autotune, &recompute};

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
