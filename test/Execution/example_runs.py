# ===- example_runs.py - The examples, trained in two ways ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The recipes of the examples' READMEs, with and without some flags: held-out losses at the end, seed by seed.

Training amplifies what differs in the last bits: of digits, losses of one seed end some 2 % apart, hence the mean over
seeds. The teacher has no noise: the longer it is trained in f32, the closer its loss comes to zero, while rounding
adds the same to it. There the difference is compared with the variance of the targets, which is 1."""
import json
import os
import statistics

from harness import EXAMPLES, Scratch, check

RUNS = {
    "digits": ["--ghost-width", 4, "--inputs", "train_images.npy", "--targets", "train_labels.npy", "--eval-inputs",
               "test_images.npy", "--eval-targets", "test_labels.npy", "--loss", "cross-entropy", "--optimizer",
               "adamw", "--learning-rate", 0.002, "--weight-decay", 1, "--schedule", "cosine", "--warmup", 0.1,
               "--steps", 600],
    "teacher": ["--ghost-width", 8, "--inputs", "train_inputs.npy", "--targets", "train_targets.npy", "--eval-inputs",
                "test_inputs.npy", "--eval-targets", "test_targets.npy", "--loss", "mse", "--optimizer", "adam",
                "--learning-rate", 0.005, "--schedule", "wsd", "--warmup", 0.05, "--steps", 4000],
}
# name -> seeds, what a loss is more than that in f32, and the largest mean of it
MEASURES = {
    "digits": (range(12), lambda loss, f32: loss / f32 - 1, 0.02),
    "teacher": (range(5), lambda loss, f32: loss - f32, 3e-4),
}


def final_losses(options, name, strategy, *more):
    """(first losses, last held-out losses) of the seeds, on four ranks."""
    inside = lambda flag: os.path.join(EXAMPLES, name, flag) if str(flag).endswith((".npy", ".onnx")) else flag
    flags = [*map(inside, RUNS[name])][0 if strategy == "phantom" else 2:]
    model = inside(f"{name}.onnx")
    results = []
    for seed in MEASURES[name][0]:
        with Scratch(options) as scratch:
            scratch.run("train", model, "--strategy", strategy, "--ranks", 4, *flags, "--batch-size", 64, "--seed",
                        seed, "--quiet", "--summary", "summary.json", *more)
            with open(scratch.path("summary.json")) as file:
                summary = json.load(file)
        results.append((summary["first_loss"], summary["eval_loss"]))
    return zip(*results)


def learns_as_f32(name, strategy, *more):

    def run(options):
        (plain_first, plain), (first, last) = (final_losses(options, name, strategy, *flags) for flags in ((), more))
        check(all(one != other for one, other in zip(first, plain_first)), "a first loss is that of f32: a weak test")
        _, measure, tolerance = MEASURES[name]
        mean = statistics.mean(map(measure, last, plain))
        check(abs(mean) <= tolerance, f"{mean:+.3g} in the mean of losses {last}, in f32 {plain}")

    return run


def cases(prefix, *more):
    runs = ("digits", "phantom"), ("digits", "tensor"), ("teacher", "phantom"), ("teacher", "megatron")
    for name, strategy in runs:
        yield f"{prefix}-{name}-{strategy}", learns_as_f32(name, strategy, *more)
