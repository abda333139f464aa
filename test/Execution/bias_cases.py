# ===- bias_cases.py - Biases that are computed ---------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Layers whose bias is no parameter but computed of one (Gemm with a beta), and a parameter that does not reach the
output. Divided, the model computes what it does on one rank: outputs, gradients, losses; saved, it has all its weights."""
import models
import numpy as np
import safetensors
from export_cases import check_model, initializers
from harness import Scratch, check, check_close, losses, train_flags

BATCH, WIDTH, LAYERS, BETA = 8, 8, 3, 0.5
EDGES = ["--first-layer", "phantom", "--last-layer", "phantom"]


def save_model(path, parameters):
    graph = models.Graph()
    idle = graph.tensor("idle", parameters["idle"])
    shift = graph.add("Where", graph.constant([True] * WIDTH, bool), graph.constant([0.0] * WIDTH), idle)
    value = graph.add("Add", "x", shift)
    for i in range(1, LAYERS + 1):
        names = [graph.tensor(f"fc{i}.{kind}", parameters[f"fc{i}.{kind}"]) for kind in ("weight", "bias")]
        value = graph.add("Gemm", value, *names, transB=1, beta=BETA, name=f"/fc{i}/Gemm",
                          result="y" if i == LAYERS else None)
        if i < LAYERS:
            value = graph.add("Tanh", value)
    graph.save(path, {"x": ["batch", WIDTH]}, {"y": ["batch", WIDTH]})


def random_parameters(rng):
    parameters = {"idle": rng.uniform(-1, 1, WIDTH).astype(np.float32)}
    for i in range(1, LAYERS + 1):
        parameters[f"fc{i}.weight"] = rng.uniform(-1, 1, (WIDTH, WIDTH)).astype(np.float32)
        parameters[f"fc{i}.bias"] = rng.uniform(-1, 1, WIDTH).astype(np.float32)
    return parameters


def forward(parameters, x):
    value = x.astype(np.float64)
    for i in range(1, LAYERS + 1):
        value = value @ parameters[f"fc{i}.weight"].T.astype(np.float64) + BETA * parameters[f"fc{i}.bias"]
        value = value if i == LAYERS else np.tanh(value)
    return value


def case(strategy, ranks, flags, name):

    def run(options):
        rng = np.random.default_rng(21)
        with Scratch(options) as scratch:
            parameters = random_parameters(rng)
            save_model(scratch.path("model.onnx"), parameters)
            x = rng.standard_normal((BATCH, WIDTH)).astype(np.float32)
            scratch.save("x.npy", x)
            scratch.save("t.npy", rng.standard_normal((BATCH, WIDTH)).astype(np.float32))
            divided = ["--strategy", strategy, "--ranks", ranks, *flags]
            scratch.run("infer", "model.onnx", *divided, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
            check_close("outputs", np.load(scratch.path("y.npy")), forward(parameters, x))

            def train(*flags):
                scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "mse"), "--dump-gradients", "g.safetensors",
                            "--save", "trained.onnx")
                return safetensors.load(scratch.path("g.safetensors")), losses(scratch.log())

            expected, expected_losses = train()
            gradients, found_losses = train(*divided)
            for i in range(1, LAYERS + 1):
                check_close(f"gradient of bias {i}", gradients[f"fc{i}.bias"], expected[f"fc{i}.bias"])
            if strategy != "phantom":
                check_close("losses", found_losses, expected_losses)
            trained = initializers(check_model(scratch.path("trained.onnx")))
            check(set(parameters) <= set(trained), f"weights {sorted(trained)}")
            check_close("the idle parameter", trained["idle"], parameters["idle"])

    return f"bias/{name}", run


def cases(options):
    for strategy in ("tensor", "megatron"):
        yield case(strategy, 2, [], f"{strategy}-p2")
    # Of two ranks, the low-rank start with k = m is the weight.
    yield case("phantom", 2, ["--ghost-width", WIDTH // 2, *EDGES], "phantom-p2")
