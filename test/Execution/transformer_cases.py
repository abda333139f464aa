# ===- transformer_cases.py - Feed-forward blocks beside attention -------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Two pre-norm transformer blocks: attention is replicated, feed-forward blocks are divided. The output equals NumPy's
in float64, gradients and losses those of one rank, whatever the number of ranks."""
import itertools

import models
import numpy as np
import safetensors
from harness import Scratch, check, check_close, losses, train_flags

BATCH, TOKENS, WIDTH, HIDDEN, HEADS, BLOCKS, CLASSES = 3, 6, 16, 32, 2, 2, 8


def random_parameters(rng):
    parameters = {}

    def linear(name, n_in, n_out):
        parameters[f"{name}.weight"] = rng.uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in)
        if not name.endswith(".k"):  # softmax does not see the bias of keys: its gradient is rounding
            parameters[f"{name}.bias"] = rng.uniform(-1, 1, n_out) / np.sqrt(n_in)

    for i in range(BLOCKS):
        for norm in ("ln1", "ln2"):
            parameters[f"h{i}.{norm}.weight"] = rng.uniform(0.5, 1.5, WIDTH)
            parameters[f"h{i}.{norm}.bias"] = rng.uniform(-0.5, 0.5, WIDTH)
        for part in "qkvo":
            linear(f"h{i}.{part}", WIDTH, WIDTH)
        linear(f"h{i}.fc1", WIDTH, HIDDEN)
        linear(f"h{i}.fc2", HIDDEN, WIDTH)
    linear("head", WIDTH, CLASSES)
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def save_model(path, parameters):
    graph = models.Graph(opset=17)
    tensors = {name: graph.tensor(name, value) for name, value in parameters.items()}

    def linear(name, x, result=None):
        product = graph.add("MatMul", x, tensors[f"{name}.weight"], name=f"/{name}/MatMul")
        if f"{name}.bias" not in tensors:
            return product
        return graph.add("Add", product, tensors[f"{name}.bias"], name=f"/{name}/Add", result=result)

    def norm(name, x):
        return graph.add("LayerNormalization", x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], epsilon=1e-5)

    def heads(x, perm):
        split = graph.add("Reshape", x, graph.constant([0, TOKENS, HEADS, WIDTH // HEADS], np.int64))
        return graph.add("Transpose", split, perm=perm)

    x = "x"
    for i in range(BLOCKS):
        y = norm(f"h{i}.ln1", x)
        q, k, v = (heads(linear(f"h{i}.{part}", y), [0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]) for part in "qkv")
        scores = graph.add("Mul", graph.add("MatMul", q, k), graph.constant((WIDTH // HEADS)**-0.5))
        context = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v)
        flat = graph.add("Reshape", graph.add("Transpose", context, perm=[0, 2, 1, 3]),
                         graph.constant([0, TOKENS, WIDTH], np.int64))
        x = graph.add("Add", x, linear(f"h{i}.o", flat))
        hidden = graph.add("Relu", linear(f"h{i}.fc1", norm(f"h{i}.ln2", x)))
        x = graph.add("Add", x, linear(f"h{i}.fc2", hidden))
    linear("head", x, result="y")
    graph.save(path, {"x": ["batch", TOKENS, WIDTH]}, {"y": ["batch", TOKENS, CLASSES]})


def forward(parameters, x):
    p, x = {name: value.astype(np.float64) for name, value in parameters.items()}, x.astype(np.float64)
    linear = lambda name, value: value @ p[f"{name}.weight"] + p.get(f"{name}.bias", 0)

    def norm(name, value):
        centred = value - value.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
        return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]

    for i in range(BLOCKS):
        y = norm(f"h{i}.ln1", x)
        q, k, v = (linear(f"h{i}.{part}", y).reshape(BATCH, TOKENS, HEADS, -1).swapaxes(1, 2) for part in "qkv")
        scores = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(WIDTH // HEADS))
        context = scores / scores.sum(axis=-1, keepdims=True) @ v
        x = x + linear(f"h{i}.o", context.swapaxes(1, 2).reshape(BATCH, TOKENS, WIDTH))
        x = x + linear(f"h{i}.fc2", np.maximum(linear(f"h{i}.fc1", norm(f"h{i}.ln2", x)), 0))
    return linear("head", x)


def case(strategy, ranks):

    def run(options):
        rng = np.random.default_rng(7)
        parameters = random_parameters(rng)
        x = rng.standard_normal((BATCH, TOKENS, WIDTH)).astype(np.float32)
        with Scratch(options) as scratch:
            save_model(scratch.path("model.onnx"), parameters)
            scratch.save("x.npy", x)
            scratch.save("t.npy", rng.standard_normal((BATCH, TOKENS, CLASSES)).astype(np.float32))
            results = []
            for flags in ([], ["--strategy", strategy, "--ranks", ranks]):
                scratch.run("infer", "model.onnx", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
                check_close("outputs", np.load(scratch.path("y.npy")), forward(parameters, x))
                process = scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "mse"), "--dump-gradients",
                                      "g.safetensors", "--remarks")
                results.append((safetensors.load(scratch.path("g.safetensors")), losses(scratch.log()), process.stderr))
            (expected, one, _), (actual, divided, remarks) = results
            check(sorted(actual) == sorted(expected), f"gradients of {sorted(actual)}, expected {sorted(expected)}")
            for name, value in expected.items():
                check_close(f"gradient of {name}", actual[name], value)
            check_close("losses", divided, one)
            for layer in ["head"] + [f"h{i}.{part}" for i in range(BLOCKS) for part in "qkvo"]:
                check(f"layer '{layer}' stays replicated" in remarks, f"no remark that '{layer}' stays replicated")
            for layer in [f"h{i}.fc{n}" for i in range(BLOCKS) for n in (1, 2)]:
                check(f"layer '{layer}' is " in remarks, f"no remark that '{layer}' is divided")

    return f"transformer/{strategy}-p{ranks}", run


def cases(options):
    for strategy, ranks in itertools.product(("tensor", "megatron"), (2,) if options.sanitize else (2, 4, 8)):
        yield case(strategy, ranks)
