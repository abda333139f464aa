# ===- export_cases.py - Exported models ---------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Trained models as ONNX: ONNX's checker accepts them, NumPy computes from them what phantom-run does, and dense ones
are the original graph. The weights are those of NumPy's composition."""
import dataclasses
import itertools

import numpy as np
import onnx
from onnx import numpy_helper

import models
import onnx_numpy
import safetensors
from grid_cases import EDGES, phantom_layers
from harness import Scratch, check, check_close, prepared, strategy_flags, train_flags
from reference import Network


def check_model(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def initializers(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def compose(factors, layer):
    """The dense [n_out, n_in] weight of a phantom layer."""
    local = factors[f"{layer}.local"].astype(np.float64)
    ranks, rows, columns = local.shape
    blocks = np.zeros((ranks, rows, ranks, columns))
    if f"{layer}.compressor" in factors:
        parts = ("compressor", "decompressor")
        compressor, decompressor = (factors[f"{layer}.{part}"].astype(np.float64) for part in parts)
        blocks = np.einsum("jika,ikb->jaib", decompressor, compressor)
    blocks[np.arange(ranks), :, np.arange(ranks), :] = local
    return blocks.reshape(ranks * rows, ranks * columns)


def dense_weights(trained, names, matmul):
    """What the initializers `names` should be."""
    expected = {}
    for name in names:
        layer = name.split(".")[0]
        if name in trained:
            expected[name] = trained[name]
        else:
            expected[name] = compose(trained, layer).T if matmul else compose(trained, layer)
    return expected


def check_same_graph(exported, original):
    """Nodes with their names, initializers and their shapes, inputs and outputs."""
    nodes = lambda model: [(n.op_type, n.name) for n in model.graph.node if n.op_type != "Constant"]
    shapes = lambda model: {t.name: tuple(t.dims) for t in model.graph.initializer}
    check(nodes(exported) == nodes(original), f"nodes {nodes(exported)}, in the model {nodes(original)}")
    check(shapes(exported) == shapes(original), f"weights {shapes(exported)}, in the model {shapes(original)}")
    for part in ("input", "output"):
        check(str(getattr(exported.graph, part)) == str(getattr(original.graph, part)), f"other {part}s")


def check_files(scratch, x, y, original, matmul, forms):
    """dense.onnx and, where layers are phantom, factored.onnx; trained.safetensors are the same parameters."""
    trained = safetensors.load(scratch.path("trained.safetensors"))
    dense = check_model(scratch.path("dense.onnx"))
    check_same_graph(dense, original)
    weights = initializers(dense)
    for name, value in dense_weights(trained, weights, matmul).items():
        check_close(name, weights[name], value, 1e-7)
    for form in forms:
        check_close(form, onnx_numpy.evaluate(check_model(scratch.path(f"{form}.onnx")), {"x": x})["y"], y)
    scratch.run("infer", "dense.onnx", "--inputs", "x.npy", "--outputs", "again.npy", "--batch-size", len(x))
    check_close("the dense model in phantom-run", np.load(scratch.path("again.npy")), y)


def check_translated(scratch, form):
    """phantom-translate makes the same file of the IR and the parameters."""
    for command in (["--import-onnx", "model.onnx", "-o", "model.mlir", "--no-recognize"],
                    ["--export-onnx", "model.mlir", "-o", f"{form}-2.onnx", "--weights", "trained.safetensors",
                     f"--{form}"]):
        process = scratch.tool("phantom-translate", *command)
        check(process.returncode == 0, process.stderr)
    first, second = (open(scratch.path(name), "rb").read() for name in (f"{form}.onnx", f"{form}-2.onnx"))
    check(first == second, f"phantom-translate exports another {form} model than phantom-run")


def check_again(scratch, form):
    """An exported model is imported and exported to the same file; recognised, it would be spelled otherwise."""
    for command in (["--import-onnx", f"{form}.onnx", "-o", f"{form}.mlir", "--no-recognize"],
                    ["--export-onnx", f"{form}.mlir", "-o", "again.onnx"]):
        process = scratch.tool("phantom-translate", *command)
        check(process.returncode == 0, process.stderr)
    first, second = (onnx.load(scratch.path(name)) for name in (f"{form}.onnx", "again.onnx"))
    first.graph.name = second.graph.name
    check(first == second, f"the {form} model is exported otherwise after an import")


def count_factored(network):
    """Elements of the factored model's weights."""
    p, k, total = network.ranks, network.ghost_width, 0
    for i, (n_in, n_out) in enumerate(zip(network.widths, network.widths[1:]), 1):
        total += n_out * network.bias
        if i in network.phantom and p > 1:
            total += n_in * n_out // p + k * n_in + (p - 1) * k * n_out
        else:
            total += n_in * n_out
    return total


def trained_case(strategy, ranks, ghost_width, activation, edges, matmul):
    depth = 4
    phantom = phantom_layers(depth, edges) if strategy == "phantom" and ranks > 1 else frozenset()
    network = Network([64, 96, 32, 64, 48], activation, True, ranks, ghost_width, phantom)

    def run(options):
        with prepared(options, dataclasses.replace(network, phantom=frozenset()), matmul=matmul) as (scratch, _, x, t):
            flags = strategy_flags(network, strategy) + (EDGES[edges] if strategy == "phantom" else [])
            train = ["train", "model.onnx", *flags, *train_flags(len(x), "mse", "adam", 0.01, count=4)]
            forms = ["dense", "factored"] if phantom else ["dense"]
            for name in ["trained.safetensors"] + [f"{form}.onnx" for form in forms]:
                scratch.run(*train, "--save", name, *(["--factored"] if name == "factored.onnx" else []))
            scratch.run("infer", "model.onnx", *flags, "--init", "from-file=trained.safetensors", "--inputs", "x.npy",
                        "--outputs", "y.npy", "--batch-size", len(x))
            y = np.load(scratch.path("y.npy"))
            check_files(scratch, x, y, onnx.load(scratch.path("model.onnx")), matmul, forms)
            for form in forms:
                check_translated(scratch, form)
                check_again(scratch, form)
            if phantom:
                count = sum(v.size for v in initializers(onnx.load(scratch.path("factored.onnx"))).values())
                check(count == count_factored(network), f"{count} weights, expected {count_factored(network)}")

    return f"export/{strategy}-p{ranks}-k{ghost_width}-{activation}-{edges}-{'matmul' if matmul else 'gemm'}", run


def save_blocks(path, rng):
    """Two residual blocks on three-dimensional inputs, with a weight that is transposed in the graph."""
    graph = models.Graph()
    weight = lambda name, *shape: graph.tensor(name, (rng.standard_normal(shape) / 8).astype(np.float32))
    value = "x"
    for i in (1, 2):
        up = graph.add("MatMul", value, weight(f"up{i}.weight", 32, 64), name=f"/up{i}/MatMul")
        up = graph.add("Add", weight(f"up{i}.bias", 64), up, name=f"/up{i}/Add")
        hidden = models.activation(graph, "gelu", up)
        turned = graph.add("Transpose", weight(f"down{i}.weight", 32, 64), perm=[1, 0], name=f"/down{i}/Transpose")
        down = graph.add("MatMul", hidden, turned, name=f"/down{i}/MatMul")
        value = graph.add("Add", value, down, name=f"/add{i}/Add", result="y" if i == 2 else None)
    graph.save(path, {"x": ["batch", 3, 32]}, {"y": ["batch", 3, 32]})


def blocks_case(ranks, ghost_width):

    def run(options):
        rng = np.random.default_rng(ranks)
        with Scratch(options) as scratch:
            save_blocks(scratch.path("model.onnx"), rng)
            x = rng.standard_normal((8, 3, 32)).astype(np.float32)
            scratch.save("x.npy", x)
            scratch.save("t.npy", rng.standard_normal(x.shape).astype(np.float32))
            flags = ["--ranks", ranks, "--ghost-width", ghost_width, *EDGES["phantom"]]
            train = ["train", "model.onnx", *flags, *train_flags(len(x), "mse", count=3)]
            for name in ("trained.safetensors", "dense.onnx", "factored.onnx"):
                scratch.run(*train, "--save", name, *(["--factored"] if name == "factored.onnx" else []))
            scratch.run("infer", "model.onnx", *flags, "--init", "from-file=trained.safetensors", "--inputs", "x.npy",
                        "--outputs", "y.npy", "--batch-size", len(x))
            y = np.load(scratch.path("y.npy"))
            check_same_graph(check_model(scratch.path("dense.onnx")), onnx.load(scratch.path("model.onnx")))
            for form in ("dense", "factored"):
                model = check_model(scratch.path(f"{form}.onnx"))
                check_close(form, onnx_numpy.evaluate(model, {"x": x})["y"], y)
                check_again(scratch, form)

    return f"export/blocks-p{ranks}-k{ghost_width}", run


def external(options):
    """Weights beside the model: the same values, at places that can be mapped."""
    network = Network([64] * 4, "relu", True)
    with prepared(options, network) as (scratch, _, x, t):
        for command in (["--import-onnx", "model.onnx", "-o", "model.mlir"],
                        ["--export-onnx", "model.mlir", "-o", "external.onnx", "--external-data"]):
            process = scratch.tool("phantom-translate", *command)
            check(process.returncode == 0, process.stderr)
        model = onnx.load(scratch.path("external.onnx"), load_external_data=False)
        external = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
        check([t.name for t in external] == ["fc1.weight", "fc2.weight", "fc3.weight"], "other weights are external")
        for tensor in external:
            places = {entry.key: entry.value for entry in tensor.external_data}
            check(places["location"] == "external.onnx.data" and int(places["offset"]) % 4096 == 0, f"{places}")
        onnx.checker.check_model(scratch.path("external.onnx"))
        before = initializers(onnx.load(scratch.path("model.onnx")))
        after = initializers(onnx.load(scratch.path("external.onnx")))
        check(all(np.array_equal(before[name], after[name]) for name in before), "other weights")
        for name in ("model.onnx", "external.onnx"):
            scratch.run("infer", name, "--inputs", "x.npy", "--outputs", f"{name}.npy", "--batch-size", len(x))
        check(np.array_equal(*(np.load(scratch.path(f"{name}.npy")) for name in ("model.onnx", "external.onnx"))),
              "other outputs")


def cases(options):
    yield "export/external", external
    activations = itertools.cycle(("relu", "gelu", "silu", "tanh", "gelu_tanh", "leaky_relu", "elu", "sigmoid"))
    for ranks, edges, matmul in itertools.product((1, 2, 4), EDGES, (False, True)):
        for ghost_width in (0, 4) if ranks == 2 else (4,):
            yield trained_case("phantom", ranks, ghost_width, next(activations), edges, matmul)
    for strategy, ranks in itertools.product(("tensor", "megatron"), (1, 2, 4)):
        yield trained_case(strategy, ranks, 0, next(activations), "default", ranks == 4)
    for ranks, ghost_width in ((2, 4), (4, 3), (4, 0)):
        yield blocks_case(ranks, ghost_width)
