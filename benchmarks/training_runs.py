# ===- training_runs.py - Training runs, and their step times ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Runs of phantom-run that train, and their step times."""
import json
import os
import subprocess
import sys

RANKS = 2
IGNORED = 2  # first steps of a run


def run_flags(strategy, k, batch, ranks=RANKS):
    """Of phantom-run: how to divide and train. All layers are phantom layers under phantom."""
    flags = ["--strategy", strategy, "--ranks", str(ranks), "--init", "random", "--loss", "mse", "--optimizer", "sgd",
             "--batch-size", str(batch)]
    if strategy == "phantom":
        flags += ["--ghost-width", str(k), "--first-layer", "phantom", "--last-layer", "phantom"]
    return flags


def phantom_run(tools_dir, folder, *arguments):
    command = [os.path.join(tools_dir, "phantom-run"), *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {' '.join(command)} failed:\n{run.stderr}")


def steps(tools_dir, folder, model, flags, batch, count, *more):
    """Log records of `count` training steps on x{batch}.npy in the folder."""
    phantom_run(tools_dir, folder, "train", model, *flags, "--inputs", f"x{batch}.npy", "--targets", f"x{batch}.npy",
                "--learning-rate", "0.001", "--steps", str(count + IGNORED), "--log", "log.jsonl", *more)
    with open(os.path.join(folder, "log.jsonl")) as file:
        records = [json.loads(line) for line in file]
    return [record for record in records if "step_seconds" in record][IGNORED:]


def step_seconds(*arguments):
    """Times of the steps."""
    return [record["step_seconds"] for record in steps(*arguments)]
