# ===- example_runs.py - The examples, trained in two ways ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Long trainings amplify what differs in the last bits: f32 with two GEMM libraries gives last losses of teacher
that are some percent apart. So losses are compared where they are still alike, early, and of whole trainings how
much they fell."""
import json
import os

from harness import EXAMPLES, Scratch, check

TOLERANCE = 0.02
# name -> flags of its README, ghosts, steps of the early comparison, and of the whole training
RUNS = {
    "digits": (["--inputs", "train_images.npy", "--targets", "train_labels.npy", "--eval-inputs", "test_images.npy",
                "--eval-targets", "test_labels.npy", "--loss", "cross-entropy", "--learning-rate", 0.002], 4, 100, 600),
    "teacher": (["--inputs", "train_inputs.npy", "--targets", "train_targets.npy", "--eval-inputs", "test_inputs.npy",
                 "--eval-targets", "test_targets.npy", "--loss", "mse", "--learning-rate", 0.003], 8, 250, 4000),
}


def train(scratch, name, strategy, count, *more):
    """The summary of a training on four ranks."""
    flags, ghosts, *_ = RUNS[name]
    inside = lambda flag: os.path.join(EXAMPLES, name, flag) if str(flag).endswith(".npy") else flag
    flags = [*map(inside, flags), *(["--ghost-width", ghosts] if strategy == "phantom" else [])]
    scratch.run("train", os.path.join(EXAMPLES, name, f"{name}.onnx"), "--strategy", strategy, "--ranks", 4, *flags,
                "--optimizer", "adam", "--schedule", "cosine", "--batch-size", 64, "--seed", 0, "--steps", count,
                "--quiet", "--summary", "summary.json", *more)
    with open(scratch.path("summary.json")) as file:
        return json.load(file)


def learns_as_f32(name, strategy, *more):
    """Held-out losses with and without some flags."""

    def run(options):
        with Scratch(options) as scratch:
            *_, early, whole = RUNS[name]
            for count in (early, whole):
                plain, other = (train(scratch, name, strategy, count, *flags) for flags in ((), more))
                scale = plain["eval_loss"] if count == early else plain["first_loss"]
                check(abs(other["eval_loss"] - plain["eval_loss"]) <= TOLERANCE * scale,
                      f"{count} steps: a loss of {other['eval_loss']}, in f32 {plain['eval_loss']}")
                check(other["first_loss"] != plain["first_loss"], "the first loss is that of f32: a weak test")

    return run


def cases(prefix, *more):
    runs = ("digits", "phantom"), ("digits", "tensor"), ("teacher", "phantom"), ("teacher", "megatron")
    for name, strategy in runs:
        yield f"{prefix}-{name}-{strategy}", learns_as_f32(name, strategy, *more)
