# ===- memory_cases.py - Runs need the memory that they predict ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The peak of a run on a large batch is within a tenth of the prediction, and of what a tiny model needs beside its own."""
import json

import numpy as np

import models
from harness import Scratch, check, strategy_flags
from reference import Network

WIDTH, TINY, BATCH = 1024, 64, 1024
WITHIN = 0.1
RULES = {"sgd": ["--optimizer", "sgd"], "clipped": ["--optimizer", "adam", "--clip-norm", "1"],
         "accumulated": ["--optimizer", "adam", "--accumulate", "4"],
         "evaluated": ["--optimizer", "sgd", "--eval-every", "1", "--eval-inputs", "x.npy", "--eval-targets", "x.npy"]}


def memory(options, width, strategy, ranks, flags):
    """(predicted bytes, peak) of a short run."""
    network, rng = Network([width] * 5, "relu", True, ranks, 8), np.random.default_rng(1)
    with Scratch(options) as scratch:
        models.save_mlp(scratch.path("model.onnx"), network, network.random_parameters(rng, np.float32))
        scratch.save("x.npy", rng.standard_normal((BATCH, width)).astype(np.float32))
        scratch.run("train", "model.onnx", *strategy_flags(network, strategy), "--init", "random", "--loss", "mse",
                    "--inputs", "x.npy", "--targets", "x.npy", "--batch-size", BATCH, "--steps", 3, "--summary", "s.json",
                    *flags)
        with open(scratch.path("s.json")) as file:
            told = json.load(file)
        parts = told["predicted_memory_bytes"]
        total = parts.pop("total")
        check(sum(parts.values()) == total, f"{parts} are not {total} together")
        return total, told["peak_memory_bytes"]


def case(strategy, ranks, name, flags):

    def run(options):
        predicted, peak = memory(options, TINY, strategy, ranks, flags)
        rest = peak - predicted
        predicted, peak = memory(options, WIDTH, strategy, ranks, flags)
        ratio = peak / (predicted + rest)
        check(abs(ratio - 1) <= WITHIN, f"{peak >> 20} MiB are {ratio:.3f} of the {predicted >> 20} MiB that were predicted "
              f"and {rest >> 20} MiB of a process at rest")

    return f"memory/{strategy}-p{ranks}-{name}", run


def cases(options):
    if options.sanitize:
        return  # its allocator keeps what is freed, and more
    for strategy in ("phantom", "tensor"):
        for name, flags in RULES.items():
            yield case(strategy, 2, name, flags)
        yield case(strategy, 4, "sgd", RULES["sgd"])
    for library in ("onednn", "onednn-sgemm", "openblas"):
        yield case("tensor", 2, library, [*RULES["sgd"], "--gemm", library])
