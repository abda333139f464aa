# ===- normalize_cases.py - LayerNorm, RMSNorm and softmax, whole and divided -=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""x -> fc1 -> norm1 -> fc2 -> + norm1 -> norm2 -> fc3, against NumPy in float64: forward, every gradient, losses.

Divided over ranks, the samples of norm1 and norm2 are in parts on all of them; the bytes that travel are counted.
"""
import itertools

import numpy as np

import models
import safetensors
from harness import Scratch, check, check_close, losses, steps, train_flags

EPSILON = {"layer": 1e-5, "rms": 1e-6, "softmax": None}
OPERATOR = {"layer": "LayerNormalization", "rms": "RMSNormalization", "softmax": "Softmax"}
# Values per sample that a rank gathers or sums in forward, and sums in backward.
GATHERED, SUMMED, BACKWARD = {"layer": 3, "rms": 0, "softmax": 2}, {"layer": 0, "rms": 1, "softmax": 0}, \
    {"layer": 2, "rms": 1, "softmax": 1}


class Norm:
    """One normalisation in float64, with its gradient by hand."""

    def __init__(self, kind, scale=None, shift=None):
        self.kind, self.scale, self.shift = kind, scale, shift

    def forward(self, x):
        if self.kind == "softmax":
            e = np.exp(x - x.max(axis=-1, keepdims=True))
            self.y = e / e.sum(axis=-1, keepdims=True)
            return self.y
        centred = x - x.mean(axis=-1, keepdims=True) if self.kind == "layer" else x
        self.r = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON[self.kind])
        self.normalized = centred * self.r
        y = self.normalized * self.scale
        return y + self.shift if self.shift is not None else y

    def backward(self, dy):
        """∂x, ∂scale, ∂shift."""
        if self.kind == "softmax":
            return self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True)), None, None
        g, rows = dy * self.scale, tuple(range(dy.ndim - 1))
        dx = g - self.normalized * (g * self.normalized).mean(axis=-1, keepdims=True)
        if self.kind == "layer":
            dx = dx - g.mean(axis=-1, keepdims=True)
        return self.r * dx, (dy * self.normalized).sum(axis=rows), dy.sum(axis=rows)


def random_parameters(rng, kind, width, hidden, classes):
    uniform = lambda *shape: rng.uniform(-1, 1, shape) / np.sqrt(shape[-1])
    parameters = {"fc1.weight": uniform(hidden, width), "fc1.bias": uniform(hidden),
                  "fc2.weight": uniform(hidden, hidden), "fc2.bias": uniform(hidden),
                  "fc3.weight": uniform(classes, hidden), "fc3.bias": uniform(classes)}
    for i in (1, 2):
        if kind != "softmax":
            parameters[f"norm{i}.weight"] = rng.uniform(0.5, 1.5, hidden)
        if kind == "layer":
            parameters[f"norm{i}.bias"] = rng.uniform(-0.5, 0.5, hidden)
    return {name: value.astype(np.float32) for name, value in parameters.items()}


def save_model(path, kind, parameters, shape):
    """`shape` is the input's without the batch."""
    graph = models.Graph(opset=23 if kind == "rms" else 17)
    tensors = {name: graph.tensor(name, value) for name, value in parameters.items()}

    def linear(name, x):
        if len(shape) == 1:
            return graph.add("Gemm", x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], transB=1, name=f"/{name}/Gemm")
        weight = graph.add("Transpose", tensors[f"{name}.weight"], perm=[1, 0], name=f"/{name}/Transpose")
        product = graph.add("MatMul", x, weight, name=f"/{name}/MatMul")
        return graph.add("Add", tensors[f"{name}.bias"], product, name=f"/{name}/Add")

    def norm(name, x):
        operands = [tensors[f"{name}.{part}"] for part in ("weight", "bias") if f"{name}.{part}" in tensors]
        attributes = {} if kind == "softmax" else {"epsilon": EPSILON[kind]}
        return graph.add(OPERATOR[kind], x, *operands, name=f"/{name}", axis=-1, **attributes)

    first = norm("norm1", linear("fc1", "x"))
    second = norm("norm2", graph.add("Add", linear("fc2", first), first))
    y = graph.add("Identity", linear("fc3", second), result="y")
    graph.save(path, {"x": ["batch", *shape]}, {y: ["batch", *shape[:-1], parameters["fc3.bias"].size]})


class Net:
    """The model in float64; `blocks`: fc2 is this many diagonal blocks, as phantom layers without ghosts are."""

    def __init__(self, kind, parameters, blocks=1):
        self.kind, self.p = kind, {name: value.astype(np.float64) for name, value in parameters.items()}
        size = self.p["fc2.weight"].shape[0] // blocks
        self.mask = np.kron(np.eye(blocks), np.ones((size, size)))

    def norm(self, name):
        return Norm(self.kind, self.p.get(f"{name}.weight"), self.p.get(f"{name}.bias"))

    def forward(self, x):
        p = self.p
        self.x, self.norms = x, (self.norm("norm1"), self.norm("norm2"))
        self.first = self.norms[0].forward(x @ p["fc1.weight"].T + p["fc1.bias"])
        second = self.first @ (p["fc2.weight"] * self.mask).T + p["fc2.bias"] + self.first
        self.second = self.norms[1].forward(second)
        return self.second @ p["fc3.weight"].T + p["fc3.bias"]

    def loss_and_gradients(self, x, target):
        y, p, g = self.forward(x), self.p, {}
        delta = 2 * (y - target) / y.size
        flat = lambda value: value.reshape(-1, value.shape[-1])

        def linear(name, delta, x):
            g[f"{name}.weight"], g[f"{name}.bias"] = flat(delta).T @ flat(x), flat(delta).sum(axis=0)

        def norm(name, norm, delta):
            dx, scale, shift = norm.backward(delta)
            for part, value in (("weight", scale), ("bias", shift)):
                if f"{name}.{part}" in p:
                    g[f"{name}.{part}"] = value
            return dx

        linear("fc3", delta, self.second)
        delta = norm("norm2", self.norms[1], delta @ p["fc3.weight"])
        linear("fc2", delta, self.first)
        g["fc2.weight"] *= self.mask
        delta = norm("norm1", self.norms[0], delta @ (p["fc2.weight"] * self.mask) + delta)
        linear("fc1", delta, self.x)
        return np.mean((y - target)**2), g

    def train(self, x, target, count, learning_rate):
        result = []
        for _ in range(count):
            value, gradients = self.loss_and_gradients(x, target)
            result.append(value)
            for name, gradient in gradients.items():
                self.p[name] -= learning_rate * gradient
        return result


def as_blocks(gradients, ranks):
    """Gradients as a phantom run names them: of fc2 only the diagonal blocks."""
    result = dict(gradients)
    weight = result.pop("fc2.weight")
    m = weight.shape[0] // ranks
    result["fc2.local"] = np.stack([weight[i * m:(i + 1) * m, i * m:(i + 1) * m] for i in range(ranks)])
    return result


def expected_bytes(kind, strategy, ranks, rows, hidden, classes):
    """(counted, ring model) of a training step: all-reduces read (p−1) parts where a ring sends 2(p−1)/p."""
    p, m = ranks, hidden // ranks
    gathered = 2 * GATHERED[kind] * rows * (p - 1)
    summed = 2 * (SUMMED[kind] + BACKWARD[kind]) * rows  # two normalisations
    summed += rows * classes  # the output
    if strategy == "tensor":
        gathered += 2 * (p - 1) * rows * m  # the input of fc2, and its gradient
    return 4 * (gathered + (p - 1) * summed), 4 * (gathered + 2 * (p - 1) / p * summed)


def case(kind, strategy, ranks, shape):
    width, hidden, classes, batch = 24, 32, 16, 6

    def run(options):
        rng = np.random.default_rng(ranks + len(shape))
        parameters = random_parameters(rng, kind, width, hidden, classes)
        x = rng.standard_normal((batch, *shape, width)).astype(np.float32)
        target = rng.standard_normal((batch, *shape, classes)).astype(np.float32)
        blocks = ranks if strategy == "phantom" else 1
        with Scratch(options) as scratch:
            save_model(scratch.path("model.onnx"), kind, parameters, (*shape, width))
            scratch.save("x.npy", x)
            scratch.save("t.npy", target)
            flags = ["--strategy", strategy, "--ranks", ranks] + (["--ghost-width", 0] if strategy == "phantom" else [])
            net = Net(kind, parameters, blocks)
            scratch.run("infer", "model.onnx", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", batch)
            check_close("outputs", np.load(scratch.path("y.npy")), net.forward(x.astype(np.float64)))
            scratch.run("train", "model.onnx", *flags, *train_flags(batch, "mse"), "--dump-gradients", "g.safetensors")
            actual = safetensors.load(scratch.path("g.safetensors"))
            expected = net.loss_and_gradients(x.astype(np.float64), target)[1]
            if blocks > 1:
                expected = as_blocks(expected, ranks)
            check(sorted(actual) == sorted(expected), f"gradients of {sorted(actual)}, expected {sorted(expected)}")
            for name, value in expected.items():
                check_close(f"gradient of {name}", actual[name], value)
            check_close("losses", losses(scratch.log()), net.train(x.astype(np.float64), target, 20, 0.05))
            record = steps(scratch.log())[0]
            rows = batch * int(np.prod(shape))
            counted, model = expected_bytes(kind, strategy, ranks, rows, hidden, classes) if ranks > 1 else (0, 0)
            if strategy != "megatron":
                check(record["comm_bytes"] == counted, f"{record['comm_bytes']} bytes counted, expected {counted}")
                check(abs(record["model_comm_bytes"] - model) < 1e-6 * max(model, 1),
                      f"{record['model_comm_bytes']} bytes by the ring model, expected {model}")

    return f"normalize/{kind}-{strategy}-p{ranks}-{'3d' if shape else '2d'}", run


def accuracy_case(kind, ranks):
    """A mean 1000 times the deviation. Both layers are the identity, which float products keep exactly."""
    width, batch = 64, 16

    def run(options):
        rng = np.random.default_rng(3)
        x = (1000 + rng.standard_normal((batch, width))).astype(np.float32)
        target = rng.standard_normal((batch, width)).astype(np.float32)
        scale, shift = rng.uniform(0.5, 1.5, width).astype(np.float32), rng.standard_normal(width).astype(np.float32)
        norm = Norm(kind, scale.astype(np.float64), shift.astype(np.float64) if kind == "layer" else None)
        y = norm.forward(x.astype(np.float64))
        dx, dscale, dshift = norm.backward(2 * (y - target) / y.size)
        graph = models.Graph(opset=23)
        identity, zero = np.eye(width, dtype=np.float32), np.zeros(width, np.float32)
        value = graph.add("Gemm", "x", graph.tensor("fc1.weight", identity), graph.tensor("fc1.bias", zero), transB=1)
        operands = [graph.tensor("norm.weight", scale)] + ([graph.tensor("norm.bias", shift)] if kind == "layer" else [])
        value = graph.add(OPERATOR[kind], value, *operands, epsilon=EPSILON[kind])
        graph.add("Gemm", value, graph.tensor("fc2.weight", identity), transB=1, result="y")
        with Scratch(options) as scratch:
            graph.save(scratch.path("model.onnx"), {"x": ["batch", width]}, {"y": ["batch", width]})
            scratch.save("x.npy", x)
            scratch.save("t.npy", target)
            flags = ["--strategy", "tensor", "--ranks", ranks]
            scratch.run("infer", "model.onnx", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", batch)
            check_close("outputs", np.load(scratch.path("y.npy")), y)
            scratch.run("train", "model.onnx", *flags, *train_flags(batch, "mse", count=1), "--dump-gradients",
                        "g.safetensors")
            actual = safetensors.load(scratch.path("g.safetensors"))
            check_close("gradient of the scale", actual["norm.weight"], dscale)
            check_close("gradient of the input", actual["fc1.bias"], dx.sum(axis=0))
            if kind == "layer":
                check_close("gradient of the shift", actual["norm.bias"], dshift)

    return f"normalize/accuracy-{kind}-p{ranks}", run


def cases(options):
    ranks = (2,) if options.sanitize else (1, 2, 4, 8)
    for kind, strategy, p in itertools.product(OPERATOR, ("tensor", "megatron", "phantom"), ranks):
        yield case(kind, strategy, p, (5,) if strategy == "tensor" else ())
    for kind, p in itertools.product(("layer", "rms"), ranks):
        yield accuracy_case(kind, p)
