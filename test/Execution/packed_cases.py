# ===- packed_cases.py - Several projections in one layer -----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""SwiGLU with gate and up projection packed in one layer, which is taken apart when it is divided. Tensor and megatron
compute what one rank does: outputs, every gradient, losses. A phantom layer with k = m starts as the dense one, and a
trained one goes back into one packed weight, or into factors."""
import itertools

import models
import numpy as np
import onnx_numpy
import safetensors
from export_cases import check_model, compose, initializers
from harness import Scratch, check, check_close, losses, train_flags

BATCH, WIDTH, HIDDEN, PARTS = 8, 8, 16, 2


def save_model(path, parameters, matmul):
    graph = models.Graph()
    weight = lambda name: graph.tensor(name, parameters[name].T if matmul else parameters[name])

    def linear(layer, x, result=None):
        names = [weight(f"{layer}.weight"), graph.tensor(f"{layer}.bias", parameters[f"{layer}.bias"])]
        if not matmul:
            return graph.add("Gemm", x, *names, transB=1, name=f"/{layer}/Gemm", result=result)
        product = graph.add("MatMul", x, names[0], name=f"/{layer}/MatMul")
        return graph.add("Add", product, names[1], name=f"/{layer}/Add", result=result)

    packed = linear("w12", graph.add("Tanh", linear("w0", "x")))
    sizes = graph.constant([HIDDEN, HIDDEN], np.int64)
    graph.nodes.append(models.helper.make_node("Split", [packed, sizes], ["gate", "up"], name="/Split", axis=-1))
    gated = graph.add("Mul", graph.add("Mul", "gate", graph.add("Sigmoid", "gate")), "up")
    linear("w3", gated, result="y")
    graph.save(path, {"x": ["batch", WIDTH]}, {"y": ["batch", WIDTH]})


def random_parameters(rng):
    parameters = {}
    for layer, n_in, n_out in (("w0", WIDTH, WIDTH), ("w12", WIDTH, PARTS * HIDDEN), ("w3", HIDDEN, WIDTH)):
        parameters[f"{layer}.weight"] = rng.uniform(-1, 1, (n_out, n_in)).astype(np.float32)
        parameters[f"{layer}.bias"] = rng.uniform(-1, 1, n_out).astype(np.float32)
    return parameters


def forward(parameters, x):
    p = {name: value.astype(np.float64) for name, value in parameters.items()}
    linear = lambda layer, value: value @ p[f"{layer}.weight"].T + p[f"{layer}.bias"]
    gate, up = np.split(linear("w12", np.tanh(linear("w0", x.astype(np.float64)))), PARTS, axis=-1)
    return linear("w3", gate / (1 + np.exp(-gate)) * up)


def joined(tensors, name, axis):
    """A tensor, or the parts of it that training was done with."""
    if name in tensors:
        return tensors[name]
    layer, last = name.split(".")
    parts = [f"{layer}.part{i}" for i in range(PARTS)]
    if last == "weight" and f"{parts[0]}.local" in tensors:
        whole = np.concatenate([compose(tensors, part) for part in parts])
        return whole.T if axis else whole
    return np.concatenate([tensors[f"{part}.{last}"] for part in parts], axis)


class Prepared:
    """A scratch folder with the model, x.npy and t.npy."""

    def __init__(self, options, matmul):
        rng = np.random.default_rng(11)
        self.scratch, self.parameters, self.matmul = Scratch(options), random_parameters(rng), matmul
        self.x = rng.standard_normal((BATCH, WIDTH)).astype(np.float32)
        save_model(self.scratch.path("model.onnx"), self.parameters, matmul)
        self.scratch.save("x.npy", self.x)
        self.scratch.save("t.npy", rng.standard_normal((BATCH, WIDTH)).astype(np.float32))

    def axis(self, name):
        return 1 if self.matmul and name.endswith(".weight") else 0

    def infer(self, model, *flags):
        self.scratch.run("infer", model, *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
        return np.load(self.scratch.path("y.npy"))

    def train(self, *flags):
        self.scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "mse"), "--dump-gradients", "g.safetensors")
        return safetensors.load(self.scratch.path("g.safetensors")), losses(self.scratch.log())


def dense_case(strategy, ranks, matmul):

    def run(options):
        prepared = Prepared(options, matmul)
        with prepared.scratch:
            flags = ["--strategy", strategy, "--ranks", ranks]
            check_close("outputs", prepared.infer("model.onnx", *flags), forward(prepared.parameters, prepared.x))
            expected, one = prepared.train()
            actual, divided = prepared.train(*flags)
            check(any(".part1." in name for name in actual), f"the packed layer is not taken apart: {sorted(actual)}")
            for name, value in expected.items():
                check_close(f"gradient of {name}", joined(actual, name, prepared.axis(name)), value)
            check_close("losses", divided, one)

    return f"packed/{strategy}-p{ranks}{'-matmul' if matmul else ''}", run


def phantom_case(ranks, matmul):

    def run(options):
        prepared = Prepared(options, matmul)
        with prepared.scratch as scratch:
            flags = ["--strategy", "phantom", "--ranks", ranks, "--ghost-width"]
            # Of two ranks, the low-rank start with k = m is the weight.
            if ranks == 2:
                whole = prepared.infer("model.onnx", *flags, WIDTH // ranks)
                check_close("outputs with k = m", whole, forward(prepared.parameters, prepared.x))
            flags += [1]
            train = ["train", "model.onnx", *flags, *train_flags(BATCH, "mse", "adam", 0.01, count=4), "--save"]
            for name in (["trained.safetensors"], ["dense.onnx"], ["factored.onnx", "--factored"]):
                scratch.run(*train, *name)
            expected = prepared.infer("model.onnx", *flags, "--init", "from-file=trained.safetensors")
            trained = safetensors.load(scratch.path("trained.safetensors"))
            check("w12.part1.local" in trained, f"no phantom layer in {sorted(trained)}")
            weights = initializers(check_model(scratch.path("dense.onnx")))
            check(sorted(weights) == sorted(prepared.parameters), f"weights {sorted(weights)}")
            for name in ("w12.weight", "w12.bias"):
                check_close(name, weights[name], joined(trained, name, prepared.axis(name)), 1e-7)
            for form in ("dense", "factored"):
                model = check_model(scratch.path(f"{form}.onnx"))
                check_close(form, onnx_numpy.evaluate(model, {"x": prepared.x})["y"], expected)
                check_close(f"{form} in phantom-run", prepared.infer(f"{form}.onnx"), expected)

    return f"packed/phantom-p{ranks}{'-matmul' if matmul else ''}", run


def cases(options):
    ranks = (2,) if options.sanitize else (2, 4)
    for p, matmul in itertools.product(ranks, (False, True)):
        yield phantom_case(p, matmul)
        for strategy in ("tensor", "megatron"):
            yield dense_case(strategy, p, matmul)
