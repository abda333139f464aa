# ===- precision_cases.py - Matrix products of bf16 factors ---------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""--precision bf16 against the reference with the factors of its products rounded to bf16.

The factors that are computed are sums, which differ in their last bits from the reference's. One that lies on the
other side of the middle between two bf16 numbers is rounded otherwise, and then differs by up to 2⁻⁸. The first
step's data are drawn so that no factor is that close to a middle, and so its loss, gradients and outputs are compared
as tightly as those of f32. Over 20 steps there are such factors, some in 10⁴. Rounding the reference's own sums to
f32 moves its losses by up to 1.7e-4 of the largest, hence LOSSES_TOLERANCE."""
import contextlib
import functools
import itertools

import numpy as np
import onnx
from onnx import numpy_helper

import encoded
import example_runs
import reference
import safetensors
from harness import (TOLERANCE, check, check_close, data, double, losses, prepared, reference_losses, train_flags,
                     without_times)
from reference import Network
from step_cases import flags_of, network_of

BATCH, STEPS = 16, 20
RATES = {"sgd": 0.1, "adam": 0.01}
LOSS = "cross-entropy"
LOSSES_TOLERANCE = 5e-4
MARGIN = 2e-7  # of a factor from a middle, the largest of its matrix being 1: more than the error of a short sum in f32
DISTRIBUTIONS = (("phantom", 1), ("phantom", 2), ("phantom", 4), ("tensor", 2), ("tensor", 4), ("megatron", 2),
                 ("megatron", 4))


class Bf16Network(Network):
    """`margin`: the least distance of a computed factor from a middle, where the other side would differ visibly."""
    margin = np.inf

    def factor(self, value):
        rounded = encoded.bf16(value).astype(np.float64)
        if np.any(value != np.asarray(value, np.float32)):
            largest = np.max(np.abs(value))
            quantum = 2.0**(np.frexp(rounded)[1] - 8)
            distance = quantum / 2 - np.abs(value - rounded)
            visible = quantum > 1e-5 * largest
            self.margin = min(self.margin, np.min(distance[visible] / largest))
        return rounded


@functools.cache
def seed_with_margin(strategy, ranks):
    """The seed of the first data that have it."""
    for seed in range(400):
        network, rng = network_of(strategy, ranks, kind=Bf16Network), np.random.default_rng(seed)
        parameters = network.random_parameters(rng, np.float32)
        x, t = data(rng, network, BATCH, LOSS)
        network.loss_and_gradients(double(parameters), x.astype(np.float64), t, LOSS)
        if network.margin > MARGIN:
            return seed
    check(False, "all data have a factor in the middle between two bf16 numbers")


@contextlib.contextmanager
def bf16_case(options, strategy, ranks):
    """(scratch, network, parameters, x, t, flags): data with the margin, the rest in f64."""
    network = network_of(strategy, ranks, kind=Bf16Network)
    seed = seed_with_margin(strategy, ranks)
    with prepared(options, network_of(strategy, ranks), LOSS, BATCH, seed) as (scratch, parameters, x, t):
        flags = ["model.onnx", *flags_of(network, strategy), "--precision", "bf16"]
        yield scratch, network, double(parameters), x.astype(np.float64), t, flags


def training(strategy, ranks, kind):
    """The first gradients, the losses; what is saved has more digits than bf16."""

    def run(options):
        with bf16_case(options, strategy, ranks) as (scratch, network, parameters, x, t, flags):
            scratch.run("train", *flags, *train_flags(BATCH, LOSS, kind, RATES[kind], STEPS), "--dump-gradients",
                        "g.safetensors", "--save", "trained.safetensors")
            actual = safetensors.load(scratch.path("g.safetensors"))
            expected = network.loss_and_gradients(parameters, x, t, LOSS)[1]
            check(sorted(actual) == sorted(expected), f"gradients of {sorted(actual)}, expected {sorted(expected)}")
            for name, value in expected.items():
                check_close(f"gradient of {name}", actual[name], value)
            expected = reference_losses(network, parameters, x, t, LOSS, reference.Optimizer(kind, RATES[kind]), STEPS)
            check_close("first loss", losses(scratch.log())[:1], expected[:1])
            check_close("losses", losses(scratch.log()), expected, LOSSES_TOLERANCE)
            for name, value in safetensors.load(scratch.path("trained.safetensors")).items():
                if name.startswith("fc"):
                    check(value.dtype == np.float32, f"{name} is saved as {value.dtype}")
                    check(np.any(encoded.bf16(value) != value), f"{name} has no more digits than bf16")

    return run


def inference(strategy, ranks):
    """Other outputs than in f32."""

    def run(options):
        with bf16_case(options, strategy, ranks) as (scratch, network, parameters, x, t, flags):
            scratch.run("infer", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
            actual, expected = np.load(scratch.path("y.npy")), network.forward(parameters, x)[0]
            check(actual.dtype == np.float32, f"outputs are {actual.dtype}")
            check_close("outputs", actual, expected)
            full = network_of(strategy, ranks).forward(parameters, x)[0]
            difference = np.max(np.abs(full - expected)) / np.max(np.abs(expected))
            check(difference > 100 * TOLERANCE, f"f32 differs by {difference}: a weak test")

    return run


def saved_model(options):
    """A model that was trained in bf16 goes back as f32."""
    with bf16_case(options, "phantom", 4) as (scratch, _, parameters, x, t, flags):
        scratch.run("train", *flags, *train_flags(BATCH, LOSS, "sgd", RATES["sgd"], STEPS), "--save", "trained.onnx")
        for tensor in onnx.load(scratch.path("trained.onnx")).graph.initializer:
            value = numpy_helper.to_array(tensor)
            check(value.dtype == np.float32, f"{tensor.name} is saved as {value.dtype}")
            check(np.any(encoded.bf16(value) != value), f"{tensor.name} has no more digits than bf16")


def same_bits(strategy, ranks):

    def run(options):
        with bf16_case(options, strategy, ranks) as (scratch, _, parameters, x, t, flags):
            contents, logs = [], []
            for name in ("a", "b"):
                scratch.run("train", *flags, *train_flags(BATCH, LOSS, "adam", RATES["adam"], STEPS), "--save",
                            f"{name}.safetensors", "--log", f"{name}.jsonl")
                logs.append(without_times(scratch.log(f"{name}.jsonl")))
                with open(scratch.path(f"{name}.safetensors"), "rb") as file:
                    contents.append(file.read())
            check(logs[0] == logs[1], "the logs differ")
            check(contents[0] == contents[1], "the parameters differ")

    return run


def alike(strategy, ranks, first, second):
    """Two ways to compute the same: the first losses and gradients, and all losses."""

    def run(options):
        with bf16_case(options, strategy, ranks) as (scratch, _, parameters, x, t, flags):
            for name, extra in (("first", first), ("second", second)):
                scratch.run("train", *flags, *train_flags(BATCH, LOSS, "sgd", RATES["sgd"], STEPS), *extra, "--log",
                            f"{name}.jsonl", "--dump-gradients", f"{name}.safetensors")
            want, got = (losses(scratch.log(f"{name}.jsonl")) for name in ("first", "second"))
            check_close("first loss", got[:1], want[:1])
            check_close("losses", got, want, LOSSES_TOLERANCE)
            want, got = (safetensors.load(scratch.path(f"{name}.safetensors")) for name in ("first", "second"))
            for name, value in want.items():
                check_close(f"gradient of {name}", got[name], value)

    return run


def cases(options):
    for (strategy, ranks), kind in itertools.product(DISTRIBUTIONS, RATES):
        yield f"precision/bf16-{kind}-{strategy}-p{ranks}", training(strategy, ranks, kind)
    for strategy, ranks in DISTRIBUTIONS:
        yield f"precision/bf16-infer-{strategy}-p{ranks}", inference(strategy, ranks)
        yield (f"precision/bf16-sim-{strategy}-p{ranks}",
               alike(strategy, ranks, ["--device", "cpu"], ["--device", "sim"]))
        yield (f"precision/bf16-gemm-{strategy}-p{ranks}",
               alike(strategy, ranks, ["--gemm", "auto"], ["--gemm", "reference"]))
    for strategy, ranks in (("phantom", 4), ("tensor", 2), ("megatron", 4)):
        yield f"precision/bf16-bits-{strategy}-p{ranks}", same_bits(strategy, ranks)
    yield "precision/bf16-model", saved_model
    if not options.sanitize:
        yield from example_runs.cases("precision/examples", "--precision", "bf16")
