# ===- switch_cases.py - Optimisations change no result -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Each optimising pass left out alone, and all at once: the losses, gradients and trained parameters are those with all
passes, and two runs with all passes have the same bits. Without --full, each model meets each pass alone once."""
import itertools
import json

import models
import normalize_cases
import numpy as np
import packed_cases
import safetensors
import transformer_cases
from harness import Scratch, check, check_close, losses, train_flags
from reference import Network

PASSES = ("optimize-exchanges", "merge-gemms", "fuse-epilogues", "fuse-elementwise", "hoist-updates", "elide-copies",
          "overlap-exchanges", "plan-memory")
BATCH, STEPS = 6, 3


def save_plain(path, rng):
    network = Network([16, 32, 32, 16], "gelu")
    models.save_mlp(path, network, network.random_parameters(rng, np.float32))
    return [16]


def save_gated(path, rng):
    packed_cases.save_model(path, packed_cases.random_parameters(rng), matmul=False)
    return [packed_cases.WIDTH]


def save_normalized(path, rng):
    normalize_cases.save_model(path, "layer", normalize_cases.random_parameters(rng, "layer", 16, 32, 16), [16])
    return [16]


def save_transformer(path, rng):
    transformer_cases.save_model(path, transformer_cases.random_parameters(rng))
    return [transformer_cases.TOKENS, transformer_cases.WIDTH]


MODELS = {"plain": save_plain, "gated": save_gated, "layernorm": save_normalized, "transformer": save_transformer}
OUTPUT = {"transformer": [transformer_cases.TOKENS, transformer_cases.CLASSES]}  # where it is not the input's shape


def train(scratch, flags, name):
    """(losses, gradients, parameters) of a training run."""
    scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "mse", "momentum", count=STEPS), "--dump-gradients",
                f"{name}.gradients.safetensors", "--save", f"{name}.safetensors", "--quiet")
    return (losses(scratch.log()), safetensors.load(scratch.path(f"{name}.gradients.safetensors")),
            safetensors.load(scratch.path(f"{name}.safetensors")))


def check_same(actual, expected, what):
    check_close(f"losses {what}", actual[0], expected[0])
    for kind, ours, theirs in zip(("gradient of", "parameter"), actual[1:], expected[1:]):
        check(sorted(ours) == sorted(theirs), f"{what}: {sorted(ours)}, expected {sorted(theirs)}")
        for name, value in theirs.items():
            check_close(f"{kind} {name} {what}", ours[name], value)


def case(model, strategy, ranks, alone):
    """`alone`: the passes of which each is left out alone."""

    def run(options):
        rng = np.random.default_rng(13)
        with Scratch(options) as scratch:
            shape = MODELS[model](scratch.path("model.onnx"), rng)
            scratch.save("x.npy", rng.standard_normal([BATCH, *shape]).astype(np.float32))
            scratch.save("t.npy", rng.standard_normal([BATCH, *OUTPUT.get(model, shape)]).astype(np.float32))
            flags = ["--strategy", strategy, "--ranks", ranks]
            flags += ["--ghost-width", 2, "--first-layer", "phantom"] if strategy == "phantom" else []
            expected, again = (train(scratch, flags, name) for name in ("a", "b"))
            check(expected[0] == again[0], "two runs have different losses")
            for one, other in zip(expected[1:], again[1:]):
                for name, value in one.items():
                    check(value.tobytes() == other[name].tobytes(), f"two runs differ in {name}")
            for left_out in (*alone, ",".join(PASSES)):
                actual = train(scratch, [*flags, "--disable-pass", left_out], "c")
                check_same(actual, expected, f"without {left_out}")

    return f"switch/{model}-{strategy}-p{ranks}", run


def save_deep(path, rng):
    network = Network([16] + [32] * 8 + [16], "gelu")
    models.save_mlp(path, network, network.random_parameters(rng, np.float32))
    return [16]


def recomputed(model, save):
    """Activations that are computed again have the same bits, and take less memory while they are not there."""

    def run(options):
        rng = np.random.default_rng(13)
        with Scratch(options) as scratch:
            shape = save(scratch.path("model.onnx"), rng)
            scratch.save("x.npy", rng.standard_normal([BATCH, *shape]).astype(np.float32))
            scratch.save("t.npy", rng.standard_normal([BATCH, *OUTPUT.get(model, shape)]).astype(np.float32))
            flags, bytes_needed, results = ["--ranks", 2, "--ghost-width", 2, "--summary", "summary.json"], [], []
            for more in ([], ["--recompute-activations"]):
                results.append(train(scratch, [*flags, *more], "a"))
                with open(scratch.path("summary.json")) as file:
                    bytes_needed.append(json.load(file)["predicted_memory_bytes"]["activations"])
            check(results[0][0] == results[1][0], "other losses")
            for kept, again in zip(results[0][1:], results[1][1:]):
                for name, value in kept.items():
                    check(value.tobytes() == again[name].tobytes(), f"{name} has other bits")
            check(bytes_needed[1] < bytes_needed[0], f"bytes of activations: {bytes_needed}")

    return f"switch/recompute-{model}", run


def weights_stay(options):
    """A weight that another one scales is the same in each batch: nothing writes its product over it."""
    rng = np.random.default_rng(13)
    with Scratch(options) as scratch:
        graph = models.Graph()
        weight, scale = (rng.standard_normal((8, 8)).astype(np.float32) for _ in range(2))
        scaled = graph.add("Mul", graph.tensor("fc1.weight", weight), graph.tensor("scale", scale))
        graph.add("MatMul", graph.add("MatMul", "x", scaled), scaled, result="y")
        graph.save(scratch.path("model.onnx"), {"x": ["batch", 8]}, {"y": ["batch", 8]})
        x = rng.standard_normal((4 * BATCH, 8)).astype(np.float32)
        scratch.save("x.npy", x)
        expected = x.astype(np.float64) @ (weight * scale) @ (weight * scale)
        for left_out in ([], *(["--disable-pass", one] for one in (*PASSES, ",".join(PASSES)))):
            scratch.run("infer", "model.onnx", "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH, *left_out)
            check_close(f"outputs {' '.join(left_out)}", np.load(scratch.path("y.npy")), expected)


def cases(options):
    yield "switch/weights-stay", weights_stay
    # A plain net of few layers needs the most memory where nothing waits.
    for model, save in {**MODELS, "plain": save_deep}.items():
        yield recomputed(model, save)
    strategies = ("phantom", "tensor", "megatron")
    turn = itertools.cycle((2,) if options.sanitize else (2, 4))
    for model in MODELS:
        # With one rank nothing is divided, whatever the strategy.
        yield case(model, "phantom", 1, PASSES if options.full else ())
        for i, strategy in enumerate(strategies):
            for ranks in (2, 4) if options.full else (next(turn),):
                yield case(model, strategy, ranks, PASSES if options.full else PASSES[i::len(strategies)])
