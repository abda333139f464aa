# ===- onnx_cases.py - Imported models compute what ONNX says -------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The models of the importer's tests, and random ones, against NumPy; directly and by way of phantom-translate."""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

import onnx_numpy
from harness import Scratch, check, check_close

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Target", "ONNX"))
import good_models
import make_model

GOOD = ["mlp", "gemm_io", "gemm_no_bias", "gemm_scaled", "gemm_beta_zero", "gemm_transposed_input", "gemm_addend_row",
        "gemm_addend_column", "gemm_addend_scalar", "gemm_one_output", "matmul_3d", "matmul_transposed_weight",
        "matmul_left_parameter", "arithmetic", "activations", "power", "dropout", "old_opset", "gelu_erf",
        "gelu_tanh", "gelu_new", "silu", "softmax_13", "softmax_12", "flatten_dynamic", "reshape", "transpose", "constants",
        "identities", "shared", "frozen", "names", "float_data", "unsorted"]
BATCH = 8


def _randomize(model, rng):
    """Weights that differ and are small; the models' own are 0.5, 1.5, …"""
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size > 1:
            random = rng.uniform(0.25, 1, array.shape) * rng.choice([-1, 1], array.shape)
            tensor.CopyFrom(numpy_helper.from_array(random.astype(np.float32), tensor.name))


def _compare(options, model, x):
    """phantom-run infer on the model, and on the IR and weights that phantom-translate makes of it."""
    expected = onnx_numpy.evaluate(model, {model.graph.input[0].name: x})
    (expected,) = expected.values()
    with Scratch(options) as scratch:
        onnx.save(model, scratch.path("model.onnx"))
        scratch.save("x.npy", x)
        translated = scratch.tool("phantom-translate", "--import-onnx", "model.onnx", "-o", "imported.mlir")
        check(translated.returncode == 0, f"phantom-translate: {translated.stderr}")
        results = []
        for file in ("model.onnx", "imported.mlir"):
            scratch.run("infer", file, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", len(x))
            results.append(np.load(scratch.path("y.npy")))
            check_close(file, results[-1], expected)
        check(np.array_equal(*results), "the imported IR gives other bits than the model")


def _good(options, name):
    rng = np.random.default_rng(3)
    with Scratch(options) as scratch:
        model = getattr(good_models, name)(scratch.folder)
    _randomize(model, rng)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    shape = [d.dim_value or BATCH for d in dims]
    x = rng.standard_normal(shape).astype(np.float32)
    # The roots and powers of a chain of activations need positive numbers.
    _compare(options, model, np.abs(x) if name == "activations" else x)


def _random_model(rng):
    """A feed-forward net of random widths, spelled in random ways."""
    node, nodes, weights, value, width = make_model.node, [], {}, "x", 8
    for layer in range(rng.integers(1, 5)):
        out = int(rng.integers(1, 13))
        w = (rng.standard_normal((out, width)) / np.sqrt(width)).astype(np.float32)
        names = dict(w=f"l{layer}__weight", b=f"l{layer}__bias")
        weights[names["b"]] = rng.standard_normal(out).astype(np.float32)
        w_name, b_name = (n.replace("__", ".") for n in names.values())
        spelling = rng.integers(4)
        if spelling < 2:
            weights[names["w"]] = w if spelling == 0 else w.T.copy()
            nodes.append(node("Gemm", f"{value} {w_name} {b_name}", f"z{layer}", transB=1 - int(spelling)))
        else:
            weights[names["w"]] = w.T.copy()
            nodes.append(node("MatMul", f"{value} {w_name}", f"m{layer}"))
            order = [f"m{layer}", b_name][::1 if spelling == 2 else -1]
            nodes.append(node("Add", " ".join(order), f"z{layer}"))
        value, residual, previous = f"z{layer}", value, width
        width = out
        kind = rng.choice(["Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Gelu", "none"])
        if kind != "none":
            nodes.append(node(str(kind), value, f"a{layer}"))
            value = f"a{layer}"
        if previous == width and rng.integers(2):
            nodes.append(node("Add", f"{residual} {value}", f"r{layer}"))
            value = f"r{layer}"
    nodes.append(node("Identity", value, "y"))
    inputs = [make_model.value("x", ["batch", 8])]
    return make_model.model(nodes, make_model.tensors(**weights), inputs, opset=20)


def _random(options, seed):
    rng = np.random.default_rng(seed)
    _compare(options, _random_model(rng), rng.standard_normal((BATCH, 8)).astype(np.float32))


def cases(options):
    for name in GOOD:
        yield f"onnx/{name}", lambda o, n=name: _good(o, n)
    for seed in range(4 if options.sanitize else 12):
        yield f"onnx/random-{seed}", lambda o, s=seed: _random(o, s)
