# ===- onnxruntime_cases.py - Exported models in onnxruntime --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Exported models pass the newest onnx.checker and compute in onnxruntime what phantom-run computes, what the model
that was imported computes there, and what ONNX's test data says. Only with run.py --with-onnxruntime."""
import dataclasses
import glob
import itertools
import json
import os
import subprocess

import numpy as np
import onnx
from onnx import numpy_helper

from export_cases import save_blocks
from grid_cases import EDGES, phantom_layers
from harness import Scratch, check, check_close, prepared, strategy_flags, train_flags
from onnx_cases import BATCH, GOOD, good_models
from onnxruntime_oracle import load_tensors, save_tensors
from reference import Network

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnxruntime_oracle.py")
TEST_DATA = "/usr/share/libonnx-testdata/data"


def compute(scratch, jobs):
    """`jobs`: (model's path, inputs by name, whether onnx.checker must accept it); yields the outputs by name, or the
    error."""
    listed = []
    for i, (model, inputs, checked) in enumerate(jobs):
        save_tensors(scratch.path(f"inputs-{i}.npz"), inputs)
        listed.append({"model": model, "check": checked, "inputs": scratch.path(f"inputs-{i}.npz"),
                       "outputs": scratch.path(f"outputs-{i}.npz")})
    with open(scratch.path("jobs.json"), "w") as file:
        json.dump(listed, file)
    process = subprocess.run([scratch.options.onnxruntime, ORACLE, scratch.path("jobs.json")], capture_output=True,
                             text=True)
    check(process.returncode == 0, f"the oracle failed: {process.stderr[-2000:]}")
    for job, line in zip(listed, process.stdout.splitlines(), strict=True):
        error = json.loads(line)["error"]
        yield error or load_tensors(job["outputs"])


def check_outputs(scratch, names, x, y):
    for name, outputs in zip(names, compute(scratch, [(scratch.path(name), {"x": x}, True) for name in names])):
        check(not isinstance(outputs, str), f"{name}: {outputs}")
        check_close(name, outputs["y"], y)


def _trained(scratch, flags, x, forms):
    """Trains, exports in the forms, and compares with phantom-run's own outputs."""
    train = ["train", "model.onnx", *flags, *train_flags(len(x), "mse", "adam", 0.01, count=4)]
    names = ["trained.safetensors"] + [f"{form}.onnx" for form in forms]
    for name in names:
        scratch.run(*train, "--save", name, *(["--factored"] if name == "factored.onnx" else []))
    scratch.run("infer", "model.onnx", *flags, "--init", "from-file=trained.safetensors", "--inputs", "x.npy",
                "--outputs", "y.npy", "--batch-size", len(x))
    for command in (["--import-onnx", "model.onnx", "-o", "model.mlir"],
                    ["--export-onnx", "model.mlir", "-o", "external.onnx", "--weights", "trained.safetensors",
                     "--external-data"]):
        process = scratch.tool("phantom-translate", *command)
        check(process.returncode == 0, process.stderr)
    check_outputs(scratch, names[1:] + ["external.onnx"], x, np.load(scratch.path("y.npy")))


def network_case(strategy, ranks, activation):
    phantom = phantom_layers(4, "phantom") if strategy == "phantom" and ranks > 1 else frozenset()
    network = Network([64, 96, 32, 64, 48], activation, True, ranks, 4, phantom)

    def run(options):
        dense = dataclasses.replace(network, phantom=frozenset())
        with prepared(options, dense, matmul=ranks == 4) as (scratch, _, x, t):
            flags = strategy_flags(network, strategy) + (EDGES["phantom"] if strategy == "phantom" else [])
            _trained(scratch, flags, x, ["dense", "factored"] if phantom else ["dense"])

    return f"onnxruntime/{strategy}-p{ranks}-{activation}", run


def blocks_case(ranks):

    def run(options):
        rng = np.random.default_rng(ranks)
        with Scratch(options) as scratch:
            save_blocks(scratch.path("model.onnx"), rng)
            x = rng.standard_normal((8, 3, 32)).astype(np.float32)
            scratch.save("x.npy", x)
            scratch.save("t.npy", rng.standard_normal(x.shape).astype(np.float32))
            _trained(scratch, ["--ranks", ranks, "--ghost-width", 3, *EDGES["phantom"]], x, ["dense", "factored"])

    return f"onnxruntime/blocks-p{ranks}", run


def _export(scratch, path, name):
    """Import and export; None if the model is not imported."""
    done = scratch.tool("phantom-translate", "--import-onnx", path, "-o", f"{name}.mlir")
    if done.returncode:
        return None
    done = scratch.tool("phantom-translate", "--export-onnx", f"{name}.mlir", "-o", f"{name}.onnx")
    check(done.returncode == 0, f"{path}: {done.stderr}")
    return scratch.path(f"{name}.onnx")


def round_trip(options):
    """The importer's test models: exported, they compute what they did before."""
    with Scratch(options) as scratch:
        os.mkdir(scratch.path("models"))
        jobs, rng = [], np.random.default_rng(5)
        names = [name for name in GOOD if name != "dropout"]  # of a model in training mode, onnxruntime drops
        for name in names:
            model = getattr(good_models, name)(scratch.path("models"))
            path = scratch.path(f"models/{name}.onnx")
            onnx.save(model, path)
            inputs = {}
            for value in model.graph.input:
                shape = [d.dim_value or BATCH for d in value.type.tensor_type.shape.dim]
                inputs[value.name] = np.abs(rng.standard_normal(shape)).astype(np.float32)
            exported = _export(scratch, path, name)
            check(exported, f"{name} is not imported")
            jobs += [(path, inputs, False), (exported, inputs, True)]
        results, compared = list(compute(scratch, jobs)), 0
        for name, before, after in zip(names, results[::2], results[1::2]):
            check(not isinstance(after, str), f"{name}: {after}")
            if isinstance(before, str):  # what the importer accepts and onnxruntime does not
                continue
            for output, value in before.items():
                check_close(f"{name}: {output}", after[output], value)
            compared += 1
        print(f"  {compared} of {len(names)} models compared in onnxruntime, before and after", flush=True)
        check(compared >= len(names) - 8, f"only {compared} models compared")


def _tensors(pattern, infos):
    """The arrays of the files, in the order of the inputs or outputs `infos` of the model."""
    paths = sorted(glob.glob(pattern), key=lambda p: int(p.rsplit("_", 1)[1].split(".")[0]))
    for path, info in zip(paths, infos):
        tensor = onnx.TensorProto()
        with open(path, "rb") as file:
            tensor.ParseFromString(file.read())
        array = numpy_helper.to_array(tensor)
        if info.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16 and array.dtype == np.uint16:  # its bits
            array = (array.astype(np.uint32) << 16).view(np.float32)
        yield array


def _left_out():
    """Cases whose data are wrong, as test/ONNX says."""
    with open(os.path.join(os.path.dirname(os.path.dirname(ORACLE)), "ONNX", "left_out.txt")) as file:
        return {line.partition(":")[0].strip() for line in file if not line.startswith("#")}


def test_data(options):
    """ONNX's test cases that are imported, with ONNX's tolerances."""
    with Scratch(options) as scratch:
        jobs, expected, left_out = [], [], _left_out()
        for path in sorted(glob.glob(f"{TEST_DATA}/*/*/model.onnx")):
            if os.path.relpath(os.path.dirname(path), TEST_DATA) in left_out:
                continue
            exported = _export(scratch, path, str(len(jobs)))
            if not exported:
                continue
            folder, graph, original = os.path.dirname(path), onnx.load(exported).graph, onnx.load(path).graph
            inputs = list(_tensors(f"{folder}/test_data_set_0/input_*.pb", original.input))
            types = [value.type.tensor_type.elem_type for value in graph.input]
            if any(array.dtype == np.float64 and kind == onnx.TensorProto.FLOAT for array, kind in zip(inputs, types)):
                continue  # computed in f32: numbers may be too large for that
            shapes = [[d.dim_value for d in value.type.tensor_type.shape.dim] for value in original.input]
            if any(list(array.shape) != shape for array, shape in zip(inputs, shapes)):
                continue  # the data have another shape than the model states
            # Floats that are stored narrow are f32 in the exported model.
            inputs = [array.astype(np.float32) if kind == onnx.TensorProto.FLOAT else array
                      for array, kind in zip(inputs, types)]
            jobs.append((exported, {value.name: array for value, array in zip(graph.input, inputs)}, True))
            expected.append((folder, dict(zip((o.name for o in graph.output),
                                              _tensors(f"{folder}/test_data_set_0/output_*.pb", original.output)))))
        unknown = 0
        for (folder, outputs), actual in zip(expected, compute(scratch, jobs)):
            if isinstance(actual, str) and actual.startswith("NotImplemented"):  # onnx.checker has accepted it
                unknown += 1
                continue
            check(not isinstance(actual, str), f"{folder}: {actual}")
            for name, value in outputs.items():
                check(np.allclose(actual[name], value, rtol=1e-3, atol=1e-6, equal_nan=True), f"{folder}: other {name}")
        print(f"  {len(jobs)} of ONNX's test models exported and checked, {len(jobs) - unknown} of them run: onnxruntime has "
              f"no kernel for {unknown}", flush=True)
        check(len(jobs) > 10 * unknown, "most test models were not run")


def cases(options):
    if not options.onnxruntime:
        return
    activations = itertools.cycle(("relu", "gelu", "silu", "gelu_tanh", "tanh"))
    for strategy, ranks in itertools.product(("phantom", "tensor", "megatron"), (1, 2, 4)):
        yield network_case(strategy, ranks, next(activations))
    for ranks in (2, 4):
        yield blocks_case(ranks)
    yield "onnxruntime/round-trip", round_trip
    if os.path.isdir(TEST_DATA):
        yield "onnxruntime/test-data", test_data
