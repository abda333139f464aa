#!/usr/bin/env python3
# ===- compare.py - What ghosts are worth on the teacher task ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Trains the teacher task on 4 ranks with each number of ghosts, with the other strategies, and, as controls on one
rank, a net of low rank and a narrower dense net, both with as many parameters as phantom k=8. Prints one table: medians
over the seeds."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import mlp

from make_data import INPUTS, OUTPUTS, WIDTH

RANKS = 4
GHOSTS = (0, 1, 2, 4, 8, WIDTH // RANKS)
LOW_RANK = 24  # 2·64·24 = 64·64/4 + 4·8·64, the weights of a phantom layer with k=8, p=4
NARROW = 56  # 2·56² + 23·56 + 4 parameters, next to those of phantom k=8
RATE, BATCH, WARMUP = 0.005, 64, 0.05


def save(path, widths):
    """A layer of LOW_RANK outputs is the first factor of the weight behind it."""
    layers = [(weight, None if len(bias) == LOW_RANK else bias)
              for weight, bias in mlp.initial_weights(np.random.RandomState(2), widths)]
    mlp.save_onnx(path, layers, "input", "output")


def contestants(folder):
    """(name, model, flags)"""
    teacher = os.path.join(HERE, "teacher.onnx")
    for k in GHOSTS:
        yield f"phantom k={k}", teacher, ["--strategy", "phantom", "--ranks", RANKS, "--ghost-width", k]
    for strategy in ("tensor", "megatron"):
        yield strategy, teacher, ["--strategy", strategy, "--ranks", RANKS]
    controls = {f"low rank {LOW_RANK}, p=1": [WIDTH, LOW_RANK, WIDTH, LOW_RANK, WIDTH],
                f"dense {NARROW}, p=1": [NARROW] * 3}
    for name, hidden in controls.items():
        path = os.path.join(folder, f"control-{hidden[0]}.onnx")
        save(path, [INPUTS, *hidden, OUTPUTS])
        yield name, path, ["--strategy", "tensor", "--ranks", 1]


def run(arguments, folder, name, model, flags, seed):
    """The summary, and (step, joules so far, held-out loss) of each evaluation."""
    data = lambda name: os.path.join(HERE, name)
    file_name = re.sub("[^a-z0-9]+", "-", f"{name} seed {seed}")
    log, summary = (os.path.join(folder, f"{file_name}.{kind}") for kind in ("jsonl", "json"))
    command = [os.path.join(arguments.tools_dir, "phantom-run"), "train", model, *flags, "--init", "random", "--inputs",
               data("train_inputs.npy"), "--targets", data("train_targets.npy"), "--eval-inputs",
               data("test_inputs.npy"), "--eval-targets", data("test_targets.npy"), "--loss", "mse", "--optimizer",
               "adam", "--learning-rate", RATE, "--schedule", "wsd", "--warmup", WARMUP, "--batch-size", BATCH,
               "--steps", arguments.steps, "--seed", seed, "--eval-every", arguments.eval_every, "--log", log,
               "--summary", summary, "--bind", "none", "--quiet"]
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"compare.py: {' '.join(map(str, command))}\n{process.stderr.strip()}")
    with open(summary) as file:
        result = json.load(file)
    joules, evaluations = 0.0, []
    with open(log) as file:
        for record in map(json.loads, file):
            joules += record["model_energy_joules"]
            if "eval_loss" in record:
                evaluations.append((record["step"], joules, record["eval_loss"]))
    return result, evaluations


def row(arguments, folder, name, model, flags):
    results = [run(arguments, folder, name, model, flags, seed) for seed in arguments.seeds]
    losses = [evaluations[-1][2] for _, evaluations in results]
    reached = [next(((step, joules) for step, joules, loss in evaluations if loss <= arguments.target), None)
               for _, evaluations in results]
    summary = results[0][0]
    line = {"name": name, "parameters": summary["parameters"], "flops": summary["formula_flops_per_step"],
            "bytes": summary["comm_bytes_per_step"], "loss": statistics.median(losses), "least": min(losses),
            "most": max(losses), "reached": sum(one is not None for one in reached)}
    if all(reached):
        line["steps"], line["joules"] = (statistics.median(values) for values in zip(*reached))
    return line


def show(line, seeds):
    target = f"in {line['reached']} of {seeds} seeds"
    if "steps" in line:
        target = f"{line['steps']:7.0f}  {line['joules']:7.2f} J"
    print(f"{line['name']:18}  {line['parameters']:10,}  {line['flops'] / 1e6:10.3f}  {line['bytes']:10,}  "
          f"{line['loss']:8.5f} ({line['least']:.5f}-{line['most']:.5f})  {target}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools-dir", required=True, help="where phantom-run is")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--target", type=float, default=0.05, help="held-out loss to which energy is counted")
    parser.add_argument("--eval-every", type=int, default=50)
    parser.add_argument("--json", help="also write the rows to this file")
    parser.add_argument("--logs", help="keep the logs and summaries of the runs in this folder, for phantom-run report")
    arguments = parser.parse_args()
    if arguments.steps % arguments.eval_every:
        parser.error("--eval-every must divide --steps: the last step is evaluated")
    print(f"{'':18}  parameters  Mflop/step  bytes/step  held-out loss (least-most)   to a loss of {arguments.target}: "
          "steps, energy")
    lines = []
    with tempfile.TemporaryDirectory(prefix="phantom-teacher-") as folder:
        logs = arguments.logs or folder
        os.makedirs(logs, exist_ok=True)
        for name, model, flags in contestants(folder):
            lines.append(row(arguments, logs, name, model, flags))
            show(lines[-1], len(arguments.seeds))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(lines, file, indent=2)


if __name__ == "__main__":
    main()
