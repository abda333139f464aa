# ===- make_large_model.py - A model larger than memory should need ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: make_large_model.py DIR [--gigabytes N] [--type float|bfloat16]

Writes DIR/large.onnx, an MLP of 8192 neurons per layer, and its weights in two files beside it. The files are sparse:
they take no space on the disk, and all weights are zero.
"""
import argparse
import os

import onnx
from onnx import TensorProto, helper

WIDTH, GIGABYTE, ALIGNMENT = 8192, 10**9, 4096


def external_tensor(name, kind, dims, width, files, number):
    """A tensor at the end of one of the files; `files`: sizes by name, which grow."""
    location = sorted(files)[number % len(files)]
    offset = -(-files[location] // ALIGNMENT) * ALIGNMENT
    length = width
    for extent in dims:
        length *= extent
    files[location] = offset + length
    tensor = TensorProto(name=name, data_type=kind, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--gigabytes", type=float, default=3)
    parser.add_argument("--type", choices=["float", "bfloat16"], default="float")
    options = parser.parse_args()
    kind, width = {"float": (TensorProto.FLOAT, 4), "bfloat16": (TensorProto.BFLOAT16, 2)}[options.type]
    layers = -(-int(options.gigabytes * GIGABYTE) // (WIDTH * WIDTH * width))
    files = {"large-1.bin": 0, "large-2.bin": 0}
    nodes, weights, value = [], [], "x"
    for i in range(1, layers + 1):
        names = [f"fc{i}.weight", f"fc{i}.bias"]
        weights.append(external_tensor(names[0], kind, [WIDTH, WIDTH], width, files, i))
        weights.append(external_tensor(names[1], kind, [WIDTH], width, files, i))
        result = "y" if i == layers else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, *names], [result], name=f"/fc{i}/Gemm", transB=1))
        value = result
        if i < layers:
            nodes.append(helper.make_node("Relu", [value], [f"a{i}"], name=f"/act{i}/Relu"))
            value = f"a{i}"
    shaped = lambda name: helper.make_tensor_value_info(name, kind, ["batch", WIDTH])
    graph = helper.make_graph(nodes, "large", [shaped("x")], [shaped("y")], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    os.makedirs(options.folder, exist_ok=True)
    onnx.save(model, os.path.join(options.folder, "large.onnx"))
    for name, size in files.items():
        with open(os.path.join(options.folder, name), "wb") as file:
            file.truncate(size)
    print(f"{layers} layers, {sum(files.values()) / GIGABYTE:.2f} GB of weights in {len(files)} files")


if __name__ == "__main__":
    main()
