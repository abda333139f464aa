# ===- convert_cases.py - From dense models to phantom ones --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""phantom-run convert against NumPy: the weights of the phantom layers, what the report says of them, and the files.
Factors have free signs and scales, so the weights that they compose are compared."""
import json

import numpy as np
import onnx

import onnx_numpy
import safetensors
from error_cases import expect_error
from export_cases import check_model, compose, dense_weights, initializers
from grid_cases import EDGES, phantom_layers
from harness import check, check_close, prepared
from reference import Network

WIDTHS, BATCH = [48, 64, 32, 64, 48], 24


def phantom_names(edges):
    return [f"fc{i}" for i in sorted(phantom_layers(len(WIDTHS) - 1, edges))]


def dense_parameters(scratch, matmul):
    """f64, weights [n_out, n_in]."""
    return {name: value.astype(np.float64) for name, value in
            scratch.as_stored(initializers(onnx.load(scratch.path("model.onnx")))).items()}


def blocks(weight, ranks):
    """[p, m_out, p, m_in]"""
    rows, columns = weight.shape
    return weight.reshape(ranks, rows // ranks, ranks, columns // ranks)


def plain_start(weight, ranks, ghost_width):
    """The diagonal blocks, and the truncated SVD of the others, per source rank."""
    whole = blocks(weight, ranks)
    result = np.zeros_like(whole)
    for i in range(ranks):
        others = [j for j in range(ranks) if j != i]
        stack = np.concatenate([whole[j, :, i] for j in others])
        u, s, vt = np.linalg.svd(stack, full_matrices=False)
        low = (u[:, :ghost_width] * s[:ghost_width]) @ vt[:ghost_width]
        result[others, :, i] = low.reshape(len(others), *whole[0, :, i].shape)
        result[i, :, i] = whole[i, :, i]
    return result.reshape(weight.shape)


def weight_errors(weight, composed, ranks):
    """Relative, of the blocks beside the diagonal and of the whole."""
    own = np.eye(ranks, dtype=bool)[:, None, :, None]
    outside = lambda value: np.where(own, 0, blocks(value, ranks))
    norm = np.linalg.norm
    return norm(outside(composed - weight)) / norm(outside(weight)), norm(composed - weight) / norm(weight)


def summary(scratch):
    with open(scratch.path("summary.json")) as file:
        return json.load(file)


def printed_errors(text, layer):
    row, = [line for line in text.splitlines() if line.startswith(f"{layer} ")]
    return [float(number) for number in row.replace(",", "").split()[-2:]]


def check_sizes(entry, n_in, n_out, ranks, ghost_width):
    weights = n_in * n_out // ranks + ghost_width * (n_in + (ranks - 1) * n_out)
    expected = {"in": n_in, "out": n_out, "ghost_width": ghost_width, "dense_weights": n_in * n_out, "weights": weights,
                "dense_flops_per_row": 2 * n_in * n_out, "flops_per_row": 2 * weights}
    check({key: entry[key] for key in expected} == expected, f"{entry}, expected {expected}")


def plain_case(ranks, ghost_width, edges, matmul):
    names = phantom_names(edges)

    def run(options):
        with prepared(options, Network(WIDTHS, "relu", True), batch=BATCH, matmul=matmul) as (scratch, _, x, _):
            flags = ["--ranks", ranks, "--ghost-width", ghost_width, *EDGES[edges]]
            printed = scratch.run("convert", "model.onnx", *flags, "-o", "converted.safetensors", "--summary",
                                  "summary.json").stdout
            for form in ("dense", "factored"):
                scratch.run("convert", "model.onnx", *flags, "-o", f"{form}.onnx", f"--{form}")
            dense, report = dense_parameters(scratch, matmul), summary(scratch)
            factors = safetensors.load(scratch.path("converted.safetensors"))
            check([layer["name"] for layer in report["layers"]] == names, f"layers {report['layers']}")
            for layer in report["layers"]:
                weight = dense[f"{layer['name']}.weight"]
                expected = plain_start(weight, ranks, ghost_width)
                check_close(layer["name"], compose(factors, layer["name"]), expected)
                errors = weight_errors(weight, expected, ranks)
                check_close("errors", [layer["off_diagonal_error"], layer["weight_error"]], errors)
                check_close("printed errors", printed_errors(printed, layer["name"]), errors)
                check_sizes(layer, *weight.shape[::-1], ranks, ghost_width)
            less = sum(layer["dense_weights"] - layer["weights"] for layer in report["layers"])
            count = sum(value.size for value in dense.values())
            check((report["dense_parameters"], report["parameters"]) == (count, count - less), f"{report}")
            check_converted(scratch, flags, x, factors, matmul)

    return f"convert/plain-p{ranks}-k{ghost_width}-{edges}-{'matmul' if matmul else 'gemm'}", run


def check_converted(scratch, flags, x, factors, matmul):
    """What the files compute."""
    infer = ["--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", len(x)]
    scratch.run("infer", "model.onnx", *flags, "--init", "from-file=converted.safetensors", *infer)
    y = np.load(scratch.path("y.npy"))
    scratch.run("infer", "model.onnx", *flags, *infer)
    check(np.array_equal(np.load(scratch.path("y.npy")), y), "from-dense starts otherwise than what convert writes")
    weights = initializers(check_model(scratch.path("dense.onnx")))
    for name, value in dense_weights(factors, weights, matmul).items():
        check_close(name, weights[name], value, 1e-7)
    for form in ("dense", "factored"):
        check_close(form, onnx_numpy.evaluate(check_model(scratch.path(f"{form}.onnx")), {"x": x})["y"], y)


def exact(options):
    """k = m on two ranks loses nothing."""
    with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
        scratch.run("convert", "model.onnx", "--ranks", 2, "--ghost-width", 16, "-o", "c.safetensors", "--summary",
                    "summary.json")
        for layer in summary(scratch)["layers"]:
            check(layer["weight_error"] < 1e-6, f"{layer}")


def bad(words, *arguments, model="model.onnx"):
    """A wrong command line; `arguments` come after the model."""

    def run(options):
        with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
            expect_error(scratch, ["convert", model, "--bind", "none", *arguments], *words)

    return run


def cases(options):
    for ranks, ghost_width, edges, matmul in ((2, 3, "default", False), (4, 2, "phantom", True),
                                              (4, 0, "default", True), (2, 8, "phantom", False)):
        yield plain_case(ranks, ghost_width, edges, matmul)
    yield "convert/exact", exact
    good = ["--ranks", "2", "--ghost-width", "4", "-o", "c.safetensors"]
    for name, case in {
            "no-output": bad(["-o is missing"], *good[:4]),
            "output-kind": bad(["-o F.safetensors or -o F.onnx"], *good[:4], "-o", "c.bin"),
            "strategy": bad(["--strategy"], *good, "--strategy", "tensor"),
            "init": bad(["--init"], *good, "--init", "random"),
            "device": bad(["--device"], *good, "--device", "sim"),
            "form": bad(["--factored needs -o F.onnx"], *good, "--factored"),
            "no-layer": bad(["no layer became a phantom layer"], *good[2:], "--strict"),
            "ghost-width": bad(["exceeds the width of a shard"], *good[:3], "17", *good[4:]),
            "no-model": bad(["no such file"], *good, model="missing.onnx"),
    }.items():
        yield f"convert/bad-{name}", case
