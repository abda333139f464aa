# ===- convert_cases.py - From dense models to phantom ones --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""phantom-run convert against NumPy: the weights of the phantom layers, what the report says of them, and the files.
Factors have free signs and scales, so the weights that they compose are compared."""
import itertools
import json

import numpy as np
import onnx

import models
import onnx_numpy
import packed_cases
import safetensors
from error_cases import expect_error
from export_cases import check_model, compose, dense_weights, initializers
from grid_cases import EDGES, phantom_layers
from harness import Scratch, check, check_close, double, prepared, train_flags
from reference import ACTIVATIONS, Network

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


RIDGE = 1e-3  # of the inputs' mean variance


def compressors(weight, weighting, ranks, ghost_width):
    """Of each rank, from the truncated SVD of its off-diagonal blocks times a root of the inputs' covariance."""
    whole, width = blocks(weight, ranks), weight.shape[1] // ranks
    for i in range(ranks):
        own = slice(i * width, (i + 1) * width)
        values, vectors = np.linalg.eigh(weighting[own, own])
        stack = np.concatenate([whole[j, :, i] for j in range(ranks) if j != i])
        kept = np.linalg.svd(stack @ (vectors * np.sqrt(values)))[2][:ghost_width]
        yield kept @ (vectors / np.sqrt(values)).T


def calibrated_start(weight, inputs, has_bias, ranks, ghost_width):
    """The composed weight: least squares in the own inputs and the other ranks' ghosts."""
    rows, width = weight.shape[0] // ranks, weight.shape[1] // ranks
    centred = inputs - inputs.mean(0) if has_bias else inputs
    weighting = centred.T @ centred / len(inputs)
    weighting += RIDGE * np.mean(np.diag(weighting)) * np.eye(len(weighting))
    kept = list(compressors(weight, weighting, ranks, ghost_width))
    result = np.zeros_like(weight)
    for j in range(ranks):
        own = slice(j * rows, (j + 1) * rows)
        features = [np.eye(weight.shape[1])[j * width:(j + 1) * width]]
        for i in range(ranks):
            if i != j:
                features.append(np.pad(kept[i], ((0, 0), (i * width, (ranks - 1 - i) * width))))
        features = np.concatenate(features)
        moments = features @ weighting @ features.T
        result[own] = np.linalg.solve(moments, features @ weighting @ weight[own].T).T @ features
    return result


def output_error(inputs, weight, bias, composed, new_bias):
    expected = inputs @ weight.T + bias
    return np.linalg.norm(inputs @ composed.T + new_bias - expected) / np.linalg.norm(expected)


def layer_inputs(network, parameters, x):
    """By layer."""
    value, inputs = x.astype(np.float64), {}
    for i in range(1, network.depth + 1):
        inputs[f"fc{i}"] = value
        value = value @ parameters[f"fc{i}.weight"].T + parameters.get(f"fc{i}.bias", 0)
        value = ACTIVATIONS[network.activation][0](value)
    return inputs


def decaying(rng, rows, width):
    """Rows whose variances fall from direction to direction, about a mean."""
    directions = np.linalg.qr(rng.standard_normal((width, width)))[0]
    scale = 0.8**np.arange(width)
    return (rng.standard_normal((rows, width)) * scale @ directions.T + 0.3).astype(np.float32)


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


def calibrated_case(rows, ranks, ghost_width, edges, bias):
    network = Network(WIDTHS, "relu", bias)

    def run(options):
        with prepared(options, network, batch=BATCH) as (scratch, _, x, _):
            rng = np.random.default_rng(rows)
            scratch.save("calibration.npy", decaying(rng, rows, WIDTHS[0]))
            flags = ["--ranks", ranks, "--ghost-width", ghost_width, *EDGES[edges], "--calibration", "calibration.npy"]
            for name in ("converted", "again"):
                scratch.run("convert", "model.onnx", *flags, "-o", f"{name}.safetensors", "--summary", "summary.json")
            dense, report = dense_parameters(scratch, False), summary(scratch)
            raw = [open(scratch.path(f"{name}.safetensors"), "rb").read() for name in ("converted", "again")]
            check(raw[0] == raw[1], "two conversions differ")
            factors = double(safetensors.load(scratch.path("converted.safetensors")))
            inputs = layer_inputs(network, dense, np.load(scratch.path("calibration.npy")))
            check(report["calibration_rows"] == rows, f"{report}")
            check([layer["name"] for layer in report["layers"]] == phantom_names(edges), f"{report}")
            for layer in report["layers"]:
                check_calibrated(layer, dense, factors, inputs[layer["name"]], ranks, ghost_width)
            check_trained_start(scratch, flags, factors)

    return f"convert/calibrated-{rows}-rows-p{ranks}-k{ghost_width}-{edges}-{'bias' if bias else 'nobias'}", run


def check_calibrated(layer, dense, factors, inputs, ranks, ghost_width, better=0.5):
    name = layer["name"]
    weight, composed = dense[f"{name}.weight"], compose(factors, name)
    bias, new_bias = (tensors.get(f"{name}.bias", np.zeros(len(weight))) for tensors in (dense, factors))
    expected = calibrated_start(weight, inputs, f"{name}.bias" in dense, ranks, ghost_width)
    check_close(name, composed, expected)
    if f"{name}.bias" in dense:
        check_close(f"bias of {name}", new_bias, bias + (weight - expected) @ inputs.mean(0))
    error = output_error(inputs, weight, bias, composed, new_bias)
    plain = output_error(inputs, weight, bias, plain_start(weight, ranks, ghost_width), bias)
    check_close("output errors", [layer["output_error"], layer["plain_output_error"]], [error, plain])
    check(error < better * plain, f"{name}: the calibrated start has the error {error}, the plain one {plain}")
    check_close("weight errors", [layer["off_diagonal_error"], layer["weight_error"]],
                weight_errors(weight, composed, ranks))
    norms = np.linalg.norm(factors[f"{name}.compressor"], axis=2) if ghost_width else 0
    if ghost_width:
        check_close("norms", np.linalg.norm(factors[f"{name}.decompressor"], axis=(0, 3)), norms)


def check_trained_start(scratch, flags, factors):
    """Training starts from the same values; a step of rate 0 changes none."""
    scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "mse", learning_rate=0, count=1), "--save",
                "trained.safetensors")
    trained = safetensors.load(scratch.path("trained.safetensors"))
    check(sorted(trained) == sorted(factors), f"{sorted(trained)}")
    for name, value in factors.items():
        check(np.array_equal(trained[name], value), f"{name} starts otherwise in train")


def save_blocks(path, rng):
    """On three-dimensional inputs: a layer that is called twice, then a gated pair packed in one weight."""
    graph = models.Graph()
    parameters = {name: (rng.standard_normal(shape) / 4).astype(np.float32) for name, shape in {
        "twice.weight": (16, 16), "twice.bias": (16,), "w12.weight": (16, 32), "w12.bias": (32,)}.items()}
    names = {name: graph.tensor(name, value) for name, value in parameters.items()}
    linear = lambda layer, value: graph.add("Add", graph.add("MatMul", value, names[f"{layer}.weight"]),
                                            names[f"{layer}.bias"])
    first = graph.add("Tanh", linear("twice", "x"))
    second = graph.add("Relu", linear("twice", first))
    packed = linear("w12", second)
    sizes = graph.constant([16, 16], np.int64)
    graph.nodes.append(models.helper.make_node("Split", [packed, sizes], ["gate", "up"], name="/Split", axis=-1))
    graph.add("Mul", graph.add("Tanh", "gate"), "up", result="y")
    graph.save(path, {"x": ["batch", 3, 16]}, {"y": ["batch", 3, 16]})
    return {name: value.astype(np.float64) for name, value in parameters.items()}


def calibrated_blocks(options):
    rng, ranks, ghost_width = np.random.default_rng(4), 2, 2
    with Scratch(options) as scratch:
        dense = save_blocks(scratch.path("model.onnx"), rng)
        x = decaying(rng, 3 * 40, 16).reshape(40, 3, 16)
        scratch.save("x.npy", x)
        scratch.run("convert", "model.onnx", "--ranks", ranks, "--ghost-width", ghost_width, *EDGES["phantom"],
                    "--calibration", "x.npy", "-o", "c.safetensors", "--summary", "summary.json")
        layers = {layer["name"]: layer for layer in summary(scratch)["layers"]}
        check(sorted(layers) == ["twice", "w12.part0", "w12.part1"], f"{sorted(layers)}")
        linear = lambda layer, value: value @ dense[f"{layer}.weight"] + dense[f"{layer}.bias"]
        first = x.reshape(-1, 16).astype(np.float64)
        second = np.tanh(linear("twice", first))
        third = np.maximum(linear("twice", second), 0)
        parts = {"twice.weight": dense["twice.weight"].T, "twice.bias": dense["twice.bias"]}
        for number in range(2):
            part = slice(16 * number, 16 * (number + 1))
            parts[f"w12.part{number}.weight"] = dense["w12.weight"][:, part].T
            parts[f"w12.part{number}.bias"] = dense["w12.bias"][part]
        factors = double(safetensors.load(scratch.path("c.safetensors")))
        for name, layer in layers.items():
            inputs = np.concatenate([first, second]) if name == "twice" else third
            check_calibrated(layer, parts, factors, inputs, ranks, ghost_width, better=1)


def one_row(options):
    """The bias takes up all that it says, and the weights stay those of the plain start."""
    with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
        scratch.save("c.npy", np.full((1, WIDTHS[0]), 0.5, np.float32))
        flags = ["--ranks", 2, "--ghost-width", 2, "-o", "c.safetensors", "--summary", "summary.json"]
        scratch.run("convert", "model.onnx", *flags)
        plain = [layer["weight_error"] for layer in summary(scratch)["layers"]]
        scratch.run("convert", "model.onnx", *flags, "--calibration", "c.npy")
        layers = summary(scratch)["layers"]
        check_close("weight errors", [layer["weight_error"] for layer in layers], plain)
        check(all(layer["output_error"] < 1e-6 for layer in layers), f"{layers}")


def fixed_batch(options):
    """A model of eight rows: whole batches only."""
    with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
        model = onnx.load(scratch.path("model.onnx"))
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 8
        onnx.save(model, scratch.path("fixed.onnx"))
        x = decaying(np.random.default_rng(1), 24, WIDTHS[0])
        for rows, file in ((24, "x24.npy"), (20, "x20.npy")):
            scratch.save(file, x[:rows])
        flags = ["--ranks", 2, "--ghost-width", 2, "-o"]
        for model in ("fixed", "model"):
            scratch.run("convert", f"{model}.onnx", *flags, f"{model}.safetensors", "--calibration", "x24.npy")
        expected, actual = (safetensors.load(scratch.path(f"{model}.safetensors")) for model in ("model", "fixed"))
        for layer in phantom_names("default"):
            check_close(layer, compose(actual, layer), compose(expected, layer))
        expect_error(scratch, ["convert", "fixed.onnx", "--bind", "none", *flags, "c.safetensors", "--calibration",
                               "x20.npy"], "x20.npy", "20 rows", "multiple")


def bad_calibration(words, x, *arguments, command="convert", model="model.onnx", file="c.npy"):

    def run(options):
        with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
            scratch.save("c.npy", x)
            expect_error(scratch, [command, model, "--bind", "none", "--ranks", 2, "--ghost-width", 2, "--calibration",
                                   file, *arguments], *words)

    return run


def spoiled(value, scale=1):
    x = np.ones((30, WIDTHS[0]), np.float32) * scale
    x[17, 3] = value
    return x


def exact(options):
    """k = m on two ranks loses nothing."""
    with prepared(options, Network(WIDTHS, "relu", True)) as (scratch, *_):
        scratch.run("convert", "model.onnx", "--ranks", 2, "--ghost-width", 16, "-o", "c.safetensors", "--summary",
                    "summary.json")
        for layer in summary(scratch)["layers"]:
            check(layer["weight_error"] < 1e-6, f"{layer}")


def uneven_model(path, rng):
    """Three square layers between two others; the off-diagonal blocks of their weights have rank 1, 3, and all."""
    graph, value = models.Graph(), "x"
    weights = {}
    for name, rank in (("first", None), ("a", 1), ("b", 3), ("c", None), ("last", None)):
        weight = rng.standard_normal((32, 32)) / 6
        if rank is not None:
            low = rng.standard_normal((32, rank)) @ rng.standard_normal((rank, 32)) / 6
            weight = np.where(np.eye(2, dtype=bool).repeat(16, 0).repeat(16, 1), weight, low)
        weights[name] = weight.astype(np.float32)
        result = "y" if name == "last" else None
        value = graph.add("Gemm", value, graph.tensor(f"{name}.weight", weights[name]), transB=1, name=f"/{name}/Gemm",
                          result=result)
        if name != "last":
            value = graph.add("Relu", value)
    graph.save(path, {"x": ["batch", 32]}, {"y": ["batch", 32]})
    return {name: value.astype(np.float64) for name, value in weights.items()}


def best_widths(weights, ranks, steps):
    """By exhaustion: of all widths with at most `steps` ghosts in sum, those that leave the least error."""
    tails = {}
    for name, weight in weights.items():
        whole, squares = blocks(weight, ranks), 0
        for i in range(ranks):
            stack = np.concatenate([whole[j, :, i] for j in range(ranks) if j != i])
            squares = squares + np.linalg.svd(stack, compute_uv=False)**2
        squares /= np.linalg.norm(weight)**2
        tails[name] = [squares[k:].sum() for k in range(len(squares) + 1)]
    names = list(weights)
    choices = [widths for widths in itertools.product(*(range(len(tails[name])) for name in names))
               if sum(widths) <= steps]
    error = lambda widths: sum(tails[name][k] for name, k in zip(names, widths))
    least = min(map(error, choices))
    return [dict(zip(names, widths)) for widths in choices if error(widths) <= least + 1e-9]


def auto_case(unit):
    """Square layers of equal cost: per ghost and layer 64 weights, 128 flops a row and one float a row, of the 512
    weights and 1024 flops of each dense layer, and the 16 floats that each exchange of the tensor strategy sends."""
    ranks, per_ghost, dense_layers = 2, {"parameters": 32, "flops": 32, "bytes": 1}[unit], 5
    dense, square = {"parameters": (512, 256), "flops": (512, 256), "bytes": (16, 0)}[unit]

    def run(options):
        rng = np.random.default_rng(2)
        with Scratch(options) as scratch:
            weights = uneven_model(scratch.path("model.onnx"), rng)
            inner = {name: weights[name] for name in "abc"}
            # First and last layer cost the same in both strategies; the last one sends a sum of 32 floats.
            fixed = {"parameters": 2 * 512, "flops": 2 * 512, "bytes": 32}[unit]
            whole = {"parameters": dense_layers * 512, "flops": dense_layers * 512, "bytes": 3 * 16 + 32}[unit]
            for steps in (0, 2, 7):
                least = fixed + 3 * square
                fraction = (least + (steps + 0.5) * per_ghost) / whole
                flags = ["--ranks", ranks, "--ghost-width", "auto", "--budget", f"{unit}={fraction}"]
                printed = scratch.run("convert", "model.onnx", *flags, "-o", "c.safetensors", "--summary",
                                      "summary.json").stdout
                widths = {layer["name"]: layer["ghost_width"] for layer in summary(scratch)["layers"]}
                check(widths in best_widths(inner, ranks, steps), f"{unit}, {steps} ghosts: {widths}")
                used = (least + sum(widths.values()) * per_ghost) / whole
                check(f"{used:.4f} of the tensor strategy's" in printed, f"{used} is not in: {printed}")
            check(widths["a"] <= 1 and widths["b"] <= 3, f"ghosts that gain nothing: {widths}")
            expect_error(scratch, ["convert", "model.onnx", "--bind", "none", "--ranks", ranks, "--ghost-width", "auto",
                                   "--budget", f"{unit}={0.9 * least / whole - 1e-6}", "-o", "d.safetensors"],
                         "too small", f"{np.ceil(least / whole * 1e4) / 1e4:.4f}")

    return f"convert/auto-{unit}", run


def auto_use(options):
    """The chosen widths in other commands: those that convert wrote, in any way of saying so, and in a folder."""
    with Scratch(options) as scratch:
        rng = np.random.default_rng(2)
        uneven_model(scratch.path("model.onnx"), rng)
        x = scratch.save("x.npy", decaying(rng, 40, 32))
        scratch.save("t.npy", rng.standard_normal((40, 32)).astype(np.float32))
        flags = ["--ranks", 2, "--ghost-width", "auto", "--budget", "parameters=0.8"]
        train = ["--inputs", x, "--targets", "t.npy", "--loss", "mse", "--learning-rate", 0, "--steps", 1, "--save"]
        scratch.run("convert", "model.onnx", *flags, "--calibration", x, "-o", "c.safetensors")
        scratch.run("train", "model.onnx", *flags, "--calibration", x, *train, "trained.safetensors")
        expected = safetensors.load(scratch.path("c.safetensors"))
        check_same("trained.safetensors", expected, scratch)
        widths = {name[:-len(".local")]: 0 for name in expected if name.endswith(".local")}
        widths.update({name[:-len(".compressor")]: value.shape[1] for name, value in expected.items()
                       if name.endswith(".compressor")})
        check(len(set(widths.values())) > 1, f"equal widths: {widths}")
        named = ",".join(f"{layer}={width}" for layer, width in widths.items())
        for value in ("auto", named, f"{widths['c']}," + named.replace(f",c={widths['c']}", "")):
            scratch.run("train", "model.onnx", "--ranks", 2, "--ghost-width", value, "--init",
                        "from-file=c.safetensors", *train, "again.safetensors")
            check_same("again.safetensors", expected, scratch)
        process = scratch.tool("phantom-run", "compile", "model.onnx", *flags, "--loss", "mse", "-o", "folder")
        check(process.returncode == 0, process.stderr)
        scratch.run("train", "folder", *train, "folder.safetensors")
        scratch.run("train", "model.onnx", *flags, *train, "model.safetensors")
        check_same("folder.safetensors", safetensors.load(scratch.path("model.safetensors")), scratch)


def packed_widths(options):
    """Other widths of the two parts of a packed layer, in files of all kinds."""
    prepared_model = packed_cases.Prepared(options, matmul=True)
    with prepared_model.scratch as scratch:
        flags = ["--ranks", 2, "--ghost-width", "w12.part0=1,w12.part1=3"]
        for name in (["c.safetensors"], ["dense.onnx"], ["factored.onnx", "--factored"]):
            scratch.run("convert", "model.onnx", *flags, "--calibration", "x.npy", "-o", *name)
        factors = safetensors.load(scratch.path("c.safetensors"))
        widths = [factors[f"w12.part{i}.compressor"].shape[1] for i in range(2)]
        check(widths == [1, 3], f"widths {widths}")
        expected = prepared_model.infer("model.onnx", *flags, "--init", "from-file=c.safetensors")
        for form in ("dense", "factored"):
            model = check_model(scratch.path(f"{form}.onnx"))
            check_close(form, onnx_numpy.evaluate(model, {"x": prepared_model.x})["y"], expected)


def check_same(name, expected, scratch):
    actual = safetensors.load(scratch.path(name))
    check(sorted(actual) == sorted(expected), f"{name}: {sorted(actual)}, expected {sorted(expected)}")
    for tensor, value in expected.items():
        check(np.array_equal(actual[tensor], value), f"{name}: other {tensor}")


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
    for values in ((300, 2, 3, "default", True), (600, 4, 2, "phantom", True), (20, 2, 2, "phantom", True),
                   (256, 4, 1, "phantom", False), (64, 2, 0, "default", True)):
        yield calibrated_case(*values)
    yield "convert/calibrated-blocks", calibrated_blocks
    yield "convert/one-row", one_row
    yield "convert/fixed-batch", fixed_batch
    for unit in ("parameters", "flops", "bytes"):
        yield auto_case(unit)
    yield "convert/auto-use", auto_use
    yield "convert/packed-widths", packed_widths
    output, good_rows = ["-o", "c.safetensors"], spoiled(1)
    for name, case in {
            "nan": bad_calibration(["NaN", "'x'", "row 17"], spoiled(np.nan), *output),
            "infinity": bad_calibration(["infinity", "'x'"], spoiled(np.inf), *output),
            "overflow": bad_calibration(["fc2", "not finite"], spoiled(1, 3e38), *output),
            "no-rows": bad_calibration(["c.npy", "no rows"], good_rows[:0], *output),
            "width": bad_calibration(["c.npy", "47"], good_rows[:, 1:], *output),
            "init": bad_calibration(["--calibration", "--init from-dense"], good_rows, "--init", "random",
                                    *train_flags(8, "mse"), command="train"),
            "no-name": bad_calibration(["--calibration", "name the .npy file"], good_rows, *output, file=""),
            "folder": bad_calibration(["--calibration", "compiled", "from-file"], good_rows, *train_flags(8, "mse"),
                                      command="train", model="."),
            "no-effect": bad_calibration(["no layer became a phantom layer"], good_rows, *train_flags(8, "mse"),
                                         "--strategy", "tensor", "--strict", command="train"),
    }.items():
        yield f"convert/bad-calibration-{name}", case
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
            "auto": bad(["--ghost-width", "--budget"], *good[:3], "auto", *good[4:]),
            "budget-alone": bad(["--budget", "--ghost-width auto"], *good, "--budget", "bytes=0.5"),
            "budget-unit": bad(["--budget", "bytes=F, flops=F or parameters=F"], *good[:3], "auto", *good[4:],
                               "--budget", "joules=0.5"),
            "budget-value": bad(["--budget", "fraction"], *good[:3], "auto", *good[4:], "--budget", "bytes=-1"),
            "widths": bad(["--ghost-width", "whole number"], *good[:3], "fc2=x", *good[4:]),
            "widths-twice": bad(["'fc2' twice"], *good[:3], "fc2=1,fc2=2", *good[4:]),
            "widths-default": bad(["two widths"], *good[:3], "1,2", *good[4:]),
            "widths-layer": bad(["'fc9'", "no phantom layer"], *good[:3], "fc9=1", *good[4:]),
            "folder": bad(["'.'", "compiled folder"], *good, model="."),
            "no-model": bad(["no such file"], *good, model="missing.onnx"),
    }.items():
        yield f"convert/bad-{name}", case
