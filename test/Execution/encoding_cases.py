# ===- encoding_cases.py - Exchanges of fewer bits ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""--exchange-encoding against the reference, whose exchanges are encoded bit by bit.

What is encoded are sums, which differ in their last bits from the reference's, and one that is close to where the
rounding changes may be rounded otherwise. So the data are drawn such that they are not: the reference's results
stay what they are when the inputs move by more than such a difference. Then losses and gradients are compared as
tightly as those of f32."""
import contextlib
import dataclasses
import functools
import itertools
import json

import numpy as np

import example_runs
import philox
import reference
import safetensors
from encoded import SHORT_ROW, Exchanges
from harness import (TOLERANCE, check, check_close, data, double, losses, prepared, steps, strategy_flags, train_flags,
                     without_times)
from reference import Network
from step_cases import flags_of, network_of

BATCH, STEPS, SEED, WIDTH = 16, 5, 7, 32
RATE, LOSS = 0.1, "cross-entropy"
ENCODINGS = ("bf16", "int8")
DISTRIBUTIONS = tuple(itertools.product(("phantom", "tensor", "megatron"), (2, 4)))
ALL_PHANTOM = ["--first-layer", "phantom", "--last-layer", "phantom"]
TRAIN = train_flags(BATCH, LOSS, "sgd", RATE, STEPS)


# How layers of dense weights exchange, and their input gradients: FORWARD[strategy][layer - 1].
FORWARD = {"tensor": ["", "gather", "reduce"], "megatron": ["", "reduce", "reduce"]}
BACKWARD = {"tensor": ["", "reduce", ""], "megatron": ["", "", "gather"]}


class EncodedNetwork(Network):
    """Three layers, all of one strategy, whose exchanges are encoded."""
    strategy, exchanges, step = "phantom", Exchanges("f32"), 1

    def forward(self, parameters, x):
        outputs, saved = super().forward(parameters, x)
        return self._gather(outputs) if self.strategy == "phantom" else outputs, saved

    def loss_and_gradients(self, *arguments):
        """Of one step after the other."""
        self.exchanges.begin(self.step)
        self.step += 1
        return super().loss_and_gradients(*arguments)

    def gathered(self, ghosts):
        return self.exchanges.gather(ghosts.transpose(0, 2, 1)).transpose(0, 2, 1)

    def summed(self, parts):
        return self.exchanges.reduce(parts.transpose(0, 1, 3, 2)).transpose(0, 2, 1)

    def _gather(self, y):
        """[B, n], of which each rank has some columns: a row is what it has of a sample."""
        return self.exchanges.gather(self._shards(y)).transpose(1, 0, 2).reshape(y.shape)

    def _linear(self, parameters, i, y):
        if self.strategy == "phantom":
            return super()._linear(parameters, i, y)
        weight, bias, exchange = parameters[f"fc{i}.weight"], parameters[f"fc{i}.bias"], FORWARD[self.strategy][i - 1]
        if exchange == "reduce":
            parts = self._shards(y) @ self._shards(weight).transpose(0, 2, 1)
            return self.exchanges.all_reduce(parts) + bias, y
        y = self._gather(y) if exchange == "gather" else y
        return y @ weight.T + bias, y

    def _linear_backward(self, parameters, gradients, i, y, ghosts, delta):
        if self.strategy == "phantom":
            return super()._linear_backward(parameters, gradients, i, y, ghosts, delta)
        weight, exchange = parameters[f"fc{i}.weight"], BACKWARD[self.strategy][i - 1]
        gradients[f"fc{i}.bias"], gradients[f"fc{i}.weight"] = delta.sum(axis=0), delta.T @ ghosts
        if exchange == "reduce":
            parts = self._shards(delta) @ np.stack(np.split(weight, self.ranks))
            parts = parts.reshape(self.ranks, len(delta), self.ranks, -1).transpose(0, 2, 1, 3)
            return self.exchanges.reduce(parts).transpose(1, 0, 2).reshape(len(delta), -1)
        back = delta @ weight
        return self._gather(back) if exchange == "gather" else back


def widths_of(outputs):
    return WIDTH, WIDTH, WIDTH, outputs


def encoded_network(strategy, ranks, encoding, seed=0, outputs=WIDTH):
    network = network_of(strategy, ranks, widths_of(outputs), kind=EncodedNetwork)
    network.strategy, network.exchanges = strategy, Exchanges(encoding, seed)
    return network


@dataclasses.dataclass
class Results:
    """Losses and norms of STEPS steps; gradients and outputs of the first values; the loss after all steps."""
    losses: list
    norms: list
    gradients: dict
    outputs: np.ndarray
    eval_loss: float

    def largest_difference(self, other):
        """Of the largest value of each."""
        pairs = [*zip(dataclasses.astuple(self)[:2], dataclasses.astuple(other)[:2]), (self.outputs, other.outputs),
                 (self.eval_loss, other.eval_loss), *((self.gradients[name], other.gradients[name])
                                                      for name in self.gradients)]
        return max(np.max(np.abs(np.subtract(*pair))) / np.max(np.abs(pair[0])) for pair in pairs)


def results_of(network, parameters, x, t, parts=1):
    """As phantom-run computes them: the rows of each step are shuffled, those of --dump-gradients are not."""
    x, values, optimizer = x.astype(np.float64), double(parameters), reference.Optimizer("sgd", RATE)
    network.exchanges.begin(None)
    outputs = network.forward(values, x)[0]
    network.step = 1
    first = network.loss_and_gradients(values, x, t, LOSS)[1]
    network.step, history, norms = 1, [], []
    for step in range(STEPS):
        order = philox.permutation(BATCH, SEED, step)
        results = [network.loss_and_gradients(values, x[rows], t[rows], LOSS) for rows in np.split(order, parts)]
        gradients = {name: sum(one[name] for _, one in results) / parts for name in values}
        history.append(sum(loss for loss, _ in results) / parts)
        norms.append(np.sqrt(sum(np.sum(value**2) for value in gradients.values())))
        optimizer.update(values, gradients)
    network.exchanges.begin(None)
    return Results(history, norms, first, outputs, reference.LOSSES[LOSS](network.forward(values, x)[0], t)[0])


@functools.cache
def expected_results(strategy, ranks, encoding, parts=1, outputs=WIDTH):
    """(seed, results) of the first data on which no rounding depends on last bits."""
    for seed in range(100):
        rng, network = np.random.default_rng(seed), encoded_network(strategy, ranks, encoding, SEED, outputs)
        parameters = network.random_parameters(rng, np.float32)
        x, t = data(rng, network, BATCH, LOSS)
        results = results_of(network, parameters, x, t, parts)
        near = (x * (1 + 5e-7 * rng.choice([-1, 1], x.shape)) for _ in range(3))
        moved = (results_of(network, parameters, other, t, parts) for other in near)
        if all(results.largest_difference(other) < TOLERANCE / 2 for other in moved):
            return seed, results
    check(False, "on all data some rounding depends on last bits")


@contextlib.contextmanager
def encoded_case(options, strategy, ranks, encoding, parts=1, outputs=WIDTH):
    """(scratch, flags of train, results)"""
    seed, results = expected_results(strategy, ranks, encoding, parts, outputs)
    network = network_of(strategy, ranks, widths_of(outputs))
    with prepared(options, network, LOSS, BATCH, seed) as (scratch, *_):
        flags = ["model.onnx", *flags_of(network, strategy), "--seed", SEED, "--exchange-encoding", encoding]
        yield scratch, flags, results


def check_steps(log, results):
    check_close("losses", losses(log), results.losses)
    check_close("norms", [record["grad_norm"] for record in steps(log)], results.norms)


def training(strategy, ranks, encoding, outputs=WIDTH):
    """Losses, norms, the first gradients, and an evaluation, whose reductions round to nearest."""

    def run(options):
        with encoded_case(options, strategy, ranks, encoding, outputs=outputs) as (scratch, flags, results):
            scratch.run("train", *flags, *TRAIN, "--dump-gradients", "g.safetensors", "--eval-inputs", "x.npy",
                        "--eval-targets", "t.npy", "--summary", "summary.json")
            check_steps(scratch.log(), results)
            actual = safetensors.load(scratch.path("g.safetensors"))
            check(sorted(actual) == sorted(results.gradients), f"gradients of {sorted(actual)}")
            for name, value in results.gradients.items():
                check_close(f"gradient of {name}", actual[name], value)
            with open(scratch.path("summary.json")) as file:
                check_close("held-out loss", json.load(file)["eval_loss"], results.eval_loss)
            scratch.run("train", *flags, *TRAIN, "--exchange-encoding", "f32", "--dump-gradients", "f32.safetensors")
            full = safetensors.load(scratch.path("f32.safetensors"))
            check(any(np.max(np.abs(full[name] - value)) > 100 * TOLERANCE * np.max(np.abs(value))
                      for name, value in actual.items()), "the gradients are those of f32: a weak test")

    return run


def accumulation(options):
    """Each part of a step rounds with its own random numbers."""
    with encoded_case(options, "phantom", 4, "int8", parts=2) as (scratch, flags, results):
        scratch.run("train", *flags, *TRAIN, "--accumulate", 2)
        check_steps(scratch.log(), results)


def inference(strategy, ranks, encoding):

    def run(options):
        with encoded_case(options, strategy, ranks, encoding) as (scratch, flags, results):
            scratch.run("infer", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
            check_close("outputs", np.load(scratch.path("y.npy")), results.outputs)

    return run


def on_double(strategy, ranks, encoding):
    """A double of a GPU computes what the CPU does."""

    def run(options):
        with encoded_case(options, strategy, ranks, encoding) as (scratch, flags, results):
            scratch.run("train", *flags, *TRAIN, "--device", "sim", "--dump-gradients", "g.safetensors")
            check_steps(scratch.log(), results)
            actual = safetensors.load(scratch.path("g.safetensors"))
            for name, value in results.gradients.items():
                check_close(f"gradient of {name}", actual[name], value)

    return run


def odd_rows(encoding):
    """Rows of 13 elements, which no vector holds: one element at a time, as a double of a GPU has them."""

    def run(options):
        with encoded_case(options, "phantom", 4, encoding) as (scratch, flags, _):
            train = train_flags(13, LOSS, "sgd", RATE, STEPS)
            scratch.run("train", *flags, *train)
            expected = losses(scratch.log())
            scratch.run("train", *flags, *train, "--device", "sim")
            check_close("losses", losses(scratch.log()), expected)

    return run


def same_bits(strategy, ranks, encoding):
    """Two runs with one seed; another seed rounds otherwise."""

    def run(options):
        with encoded_case(options, strategy, ranks, encoding) as (scratch, flags, _):
            contents, logs = [], []
            for name, seed in (("a", SEED), ("b", SEED), ("c", SEED + 1)):
                scratch.run("train", *flags, *TRAIN, "--seed", seed, "--save", f"{name}.safetensors", "--log",
                            f"{name}.jsonl", "--dump-gradients", f"{name}.gradients")
                logs.append(without_times(scratch.log(f"{name}.jsonl")))
                contents.append([safetensors.load(scratch.path(f"{name}.{kind}"))
                                 for kind in ("safetensors", "gradients")])
            check(logs[0] == logs[1], "the logs differ")
            for one, other in zip(contents[0], contents[1]):
                check(all(np.array_equal(value, other[name]) for name, value in one.items()), "the values differ")
            check(any(np.any(value != contents[2][1][name]) for name, value in contents[0][1].items()),
                  "another seed gives the same gradients")

    return run


def traffic(ranks):
    """Bytes from peers, in a step of three layers: exactly the encoded blocks."""
    width, batch, ghosts, layers = 64, 64, 4, 3
    network = Network([width] * (layers + 1), "tanh", True, ranks, ghosts, frozenset([1, 2, 3]))
    columns = width // ranks
    # For ghosts and their gradients a row is a ghost; for the outputs, what a rank has of a sample.
    row_bytes = {"f32": lambda n: 4 * n, "bf16": lambda n: 2 * n, "int8": lambda n: n + 4}
    expected = {name: (ranks - 1) * (2 * layers * ghosts * row(batch) + batch * row(columns))
                for name, row in row_bytes.items()}
    check(row_bytes["int8"](batch) <= 0.3 * row_bytes["f32"](batch), "int8 ghosts take more than 0.3 of the bytes")

    def run(options):
        with prepared(options, network, "mse", batch) as (scratch, *_):
            for encoding, count in expected.items():
                scratch.run("train", "model.onnx", *strategy_flags(network, "phantom"), *ALL_PHANTOM,
                            "--exchange-encoding", encoding, *train_flags(batch, "mse", count=2))
                for record in steps(scratch.log()):
                    for counter in ("comm_bytes", "model_comm_bytes"):
                        check(record[counter] == count, f"{encoding}: {counter} {record[counter]}, expected {count}")

    return run


def cases(options):
    for (strategy, ranks), encoding in itertools.product(DISTRIBUTIONS, ENCODINGS):
        name = f"{encoding}-{strategy}-p{ranks}"
        yield f"encoding/{name}", training(strategy, ranks, encoding)
        yield f"encoding/infer-{name}", inference(strategy, ranks, encoding)
        yield f"encoding/sim-{name}", on_double(strategy, ranks, encoding)
        yield f"encoding/bits-{name}", same_bits(strategy, ranks, encoding)
    for encoding in ENCODINGS:
        yield f"encoding/odd-rows-{encoding}", odd_rows(encoding)
    for ranks in (2, 4):
        yield f"encoding/traffic-p{ranks}", traffic(ranks)
    # Each rank has 2 of 8 outputs, or of each sample sums of 4.
    for strategy, outputs in (("phantom", 8), ("tensor", SHORT_ROW), ("megatron", SHORT_ROW)):
        yield f"encoding/short-rows-{strategy}", training(strategy, 4, "int8", outputs)
    yield "encoding/accumulated", accumulation
    if not options.sanitize:
        yield from example_runs.cases("encoding/examples", "--exchange-encoding", "int8")
