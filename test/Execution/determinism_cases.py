# ===- determinism_cases.py - Same seed, same bits ----------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import itertools

import harness
from harness import check, prepared, strategy_flags, train_flags, without_times
from reference import Network


def same_seed_same_log(strategy, ranks, optimizer):
    """Two runs with one seed: identical logs apart from times, identical trained weights."""

    def run(options):
        network = Network([64] * 4, "gelu", True, ranks, 4, frozenset([2]))
        with prepared(options, network, batch=50) as (scratch, _, x, t):
            logs = []
            for name in ("a", "b"):
                flags = strategy_flags(network, strategy) + train_flags(16, "mse", optimizer)
                scratch.run("train", "model.onnx", *flags, "--seed", 7, "--init", "random", "--log", f"{name}.jsonl",
                            "--dump-gradients", f"{name}.safetensors")
                logs.append(without_times(scratch.log(f"{name}.jsonl")))
            check(len(harness.losses(logs[0])) == 20, f"{len(harness.losses(logs[0]))} steps in the log")
            check(logs[0] == logs[1], "the logs differ")
            with open(scratch.path("a.safetensors"), "rb") as a, open(scratch.path("b.safetensors"), "rb") as b:
                check(a.read() == b.read(), "the gradients differ")

    return run


def seed_matters(options):
    network = Network([64] * 4, "relu", True, 2, 4, frozenset([2]))
    with prepared(options, network) as (scratch, _, x, t):
        losses = []
        for seed in (1, 2):
            flags = strategy_flags(network, "phantom") + train_flags(8, "mse", count=1)
            scratch.run("train", "model.onnx", *flags, "--seed", seed, "--init", "random")
            losses.append(harness.losses(scratch.log()))
        check(losses[0] != losses[1], "two seeds gave the same random start")


def cases(options):
    for strategy, ranks in itertools.product(("phantom", "tensor", "megatron"), (2, 4)):
        optimizer = "adam" if ranks == 2 else "sgd"
        yield f"determinism/{strategy}-p{ranks}-{optimizer}", same_seed_same_log(strategy, ranks, optimizer)
    yield "determinism/seed-matters", seed_matters
