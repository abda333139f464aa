# ===- optimizer_cases.py - Optimizers and digits against NumPy ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import json
import os

import numpy as np

import reference
from harness import (EXAMPLES, Scratch, check, check_close, double, losses, prepared, reference_losses,
                     strategy_flags, train_flags)
from reference import Network

LEARNING_RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 0.01, "adamw": 0.01}


def optimizer(kind, strategy, ranks):
    """20 losses. Adam divides by √v: where a gradient is tiny its sign decides the step, hence the wider tolerance."""

    def run(options):
        phantom = frozenset([1, 2, 3]) if strategy == "phantom" else frozenset()
        network = Network([32] * 4, "tanh", True, ranks, 2, phantom)
        with prepared(options, network, "cross-entropy", batch=16) as (scratch, parameters, x, t):
            flags = strategy_flags(network, strategy) + ["--init", "from-file=parameters.safetensors"]
            if strategy == "phantom":
                flags += ["--first-layer", "phantom", "--last-layer", "phantom"]
            rate = LEARNING_RATES[kind]
            if kind == "adamw":
                flags += ["--weight-decay", 0.01]
            scratch.run("train", "model.onnx", *flags, *train_flags(16, "cross-entropy", kind, rate))
            expected = reference_losses(network, double(parameters), x.astype(np.float64), t, "cross-entropy",
                                        reference.Optimizer(kind, rate))
            check_close("losses", losses(scratch.log()), expected, tolerance=2e-5 if "adam" in kind else 1e-5)

    return run


def digits(strategy, ranks, ghost_width):
    """Held-out accuracy of the example, after fewer steps than the quickstart's."""

    def run(options):
        data = lambda name: os.path.join(EXAMPLES, "digits", name)
        with Scratch(options) as scratch:
            flags = ["--strategy", strategy, "--ranks", ranks]
            flags += ["--ghost-width", ghost_width] if strategy == "phantom" else []
            scratch.run("train", data("digits.onnx"), *flags, "--inputs", data("train_images.npy"), "--targets",
                        data("train_labels.npy"), "--eval-inputs", data("test_images.npy"), "--eval-targets",
                        data("test_labels.npy"), "--loss", "cross-entropy", "--optimizer", "adam", "--learning-rate",
                        0.002, "--schedule", "cosine", "--batch-size", 64, "--steps", 600, "--seed", 0, "--log",
                        "log.jsonl", "--summary", "summary.json")
            with open(scratch.path("summary.json")) as file:
                summary = json.load(file)
            check(summary["eval_accuracy"] >= 0.95, f"accuracy {summary['eval_accuracy']}")
            check(summary["ranks"] == ranks and summary["strategy"] == strategy, f"summary: {summary}")

    return run


def cases(options):
    for kind in LEARNING_RATES:
        for strategy, ranks in (("phantom", 2), ("phantom", 4), ("tensor", 2), ("megatron", 4)):
            yield f"optimizer/{kind}-{strategy}-p{ranks}", optimizer(kind, strategy, ranks)
    if not options.sanitize:
        yield "digits/phantom-p4", digits("phantom", 4, 4)
        yield "digits/tensor-p4", digits("tensor", 4, 0)
        yield "digits/megatron-p2", digits("megatron", 2, 0)
