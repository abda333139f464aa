//===- Summary.cpp - What a training run came to --------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Session.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace phantom::rt {

static StringRef reasonName(StopReason reason) {
  switch (reason) {
  case StopReason::Completed:
    return "completed";
  case StopReason::TargetLoss:
    return "target-loss";
  case StopReason::TargetEvalLoss:
    return "target-eval-loss";
  case StopReason::Interrupted:
    return "interrupted";
  }
  llvm_unreachable("unknown stop reason");
}

std::string summary(const TrainReport &report) {
  std::string text;
  raw_string_ostream out(text);
  out << report.steps << " steps in " << format("%.2f", report.seconds) << " s";
  if (report.steps > 0)
    out << ", loss " << format("%.6g", report.firstLoss) << " -> " << format("%.6g", report.finalLoss);
  if (report.resumedSteps > 0)
    out << " (" << report.resumedSteps << " of them before the checkpoint)";
  if (report.stopReason == StopReason::TargetLoss)
    out << " (target loss reached)";
  else if (report.stopReason == StopReason::Interrupted)
    out << " (interrupted)";
  if (report.targetEvalLoss)
    out << " (target held-out loss " << (report.target ? "" : "not ") << "reached)";
  return text;
}

static void writeMemory(json::OStream &json, const TrainReport &report) {
  const MemoryNeed &need = report.memoryNeed;
  json.attributeObject("predicted_memory_bytes", [&] {
    json.attribute("parameters", need.parameters);
    json.attribute("optimizer", need.optimizer);
    json.attribute("activations", need.activations);
    json.attribute("gemm_workspace", need.gemmWorkspace);
    json.attribute("windows", need.windows);
    json.attribute("constants", need.constants);
    json.attribute("batch", need.batch);
    json.attribute("total", need.total());
  });
  json.attribute("peak_memory_bytes", report.peakMemoryBytes);
}

static void writeEnergy(json::OStream &json, const TrainReport &report) {
  json.attribute("energy_source", report.energySource);
  json.attribute("energy_joules", report.energyJoules);
  if (!report.energyJoules)
    json.attribute("energy_reason", report.energyReason);
  json.attribute("model_energy_joules", report.modelEnergyJoules);
  json.attribute("model_energy_joules_per_step", report.modelEnergyJoulesPerStep);
  json.attribute("model_energy_above_idle_joules", report.modelEnergyAboveIdleJoules);
}

/// What the evaluations while training took, apart from the steps.
static void writeEvaluations(json::OStream &json, const TrainReport &report) {
  if (report.evaluations == 0)
    return;
  json.attribute("evaluations", report.evaluations);
  json.attribute("eval_seconds", report.evalSeconds);
  json.attribute("eval_energy_joules", report.evalEnergyJoules);
  if (!report.evalEnergyJoules)
    json.attribute("eval_energy_reason", report.evalEnergyReason);
}

static void writeTarget(json::OStream &json, const TrainReport &report) {
  if (!report.targetEvalLoss)
    return;
  // Nothing where it was not reached: that is a result, too.
  auto write = [&](StringRef what, auto value) {
    json.attribute((what + "_to_target_eval_loss").str(), value);
  };
  const std::optional<TargetReport> &target = report.target;
  json.attribute("target_eval_loss", *report.targetEvalLoss);
  write("steps", target ? std::optional(target->steps) : std::nullopt);
  write("seconds", target ? std::optional(target->seconds) : std::nullopt);
  write("comm_bytes", target ? std::optional(target->commBytes) : std::nullopt);
  write("energy_joules", target ? target->energyJoules : std::nullopt);
  write("model_energy_joules", target ? std::optional(target->modelEnergyJoules) : std::nullopt);
}

Error writeSummary(StringRef path, const Program &program, const TrainReport &report,
                   const std::optional<EvaluationReport> &evaluation) {
  return writeFileAtomically(path, [&](raw_ostream &out) {
    json::OStream json(out, /*IndentSize=*/2);
    json.object([&] {
      json.attribute("model", program.model);
      json.attribute("strategy", program.strategy);
      json.attribute("ranks", program.ranks);
      json.attribute("ghost_width", program.ghostWidth);
      json.attribute("batch_size", program.stepRows());
      json.attribute("parameters", program.trainCosts.parameters);
      json.attribute("formula_flops_per_step", program.trainCosts.formulaFlops);
      json.attribute("executed_flops_per_step", program.trainCosts.executedFlops);
      json.attribute("gemm_kernels_hash", formatv("{0:x-16}", report.gemmChoicesHash).str());
      json.attribute("comm_bytes_per_step", report.commBytesPerStep);
      json.attribute("model_comm_bytes_per_step", report.modelCommBytesPerStep);
      writeMemory(json, report);
      json.attribute("steps", report.steps);
      json.attribute("resumed_steps", report.resumedSteps);
      json.attribute("stop_reason", reasonName(report.stopReason));
      if (report.steps > 0) {
        json.attribute("first_loss", report.firstLoss);
        json.attribute("final_loss", report.finalLoss);
      }
      json.attribute("seconds", report.seconds);
      json.attribute("step_seconds_median", report.medianStepSeconds);
      writeEnergy(json, report);
      writeEvaluations(json, report);
      writeTarget(json, report);
      if (evaluation) {
        json.attribute("eval_rows", evaluation->rows);
        json.attribute("eval_loss", evaluation->loss);
        if (evaluation->accuracy)
          json.attribute("eval_accuracy", *evaluation->accuracy);
      }
    });
    out << '\n';
  });
}

} // namespace phantom::rt
