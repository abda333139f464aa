# ===- zero_model.py - Models with weights that take no space ---------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Writes model.onnx for benchmarks that start from random weights: its own are a file of zeros without blocks on the
disk."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper


class _Model:
    """Layers width -> width."""

    def __init__(self, width):
        self.width, self.nodes, self.weights = width, [], []

    def linear(self, name, x, result):
        weight = TensorProto(name=f"{name}.weight", data_type=TensorProto.FLOAT, dims=[self.width] * 2,
                             data_location=TensorProto.EXTERNAL)
        for key, text in (("location", "weights.bin"), ("offset", "0"), ("length", str(4 * self.width**2))):
            weight.external_data.add(key=key, value=text)
        bias = helper.make_tensor(f"{name}.bias", TensorProto.FLOAT, [self.width],
                                  np.zeros(self.width, np.float32).tobytes(), raw=True)
        self.weights += [weight, bias]
        self.nodes.append(helper.make_node("Gemm", [x, weight.name, bias.name], [result], name=f"/{name}/Gemm", transB=1))
        return result

    def add(self, op, *inputs, result):
        self.nodes.append(helper.make_node(op, list(inputs), [result], name=f"/{result}/{op}"))
        return result

    def save(self, folder):
        shaped = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", self.width])
        graph = helper.make_graph(self.nodes, "model", [shaped("x")], [shaped("y")], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
                  os.path.join(folder, "model.onnx"))
        with open(os.path.join(folder, "weights.bin"), "wb") as file:
            file.truncate(4 * self.width**2)


def save_square(folder, width, layers):
    """Layers with relu between."""
    model, value = _Model(width), "x"
    for i in range(1, layers + 1):
        value = model.linear(f"fc{i}", value, "y" if i == layers else f"z{i}")
        if i < layers:
            value = model.add("Relu", value, result=f"y{i}")
    model.save(folder)


def save_gated(folder, width):
    """Two blocks down(silu(gate(x)) · up(x))."""
    model, value, blocks = _Model(width), "x", 2
    for i in range(1, blocks + 1):
        gate, up = (model.linear(f"{name}{i}", value, f"{name}{i}") for name in ("gate", "up"))
        silu = model.add("Mul", gate, model.add("Sigmoid", gate, result=f"sigmoid{i}"), result=f"silu{i}")
        value = model.linear(f"down{i}", model.add("Mul", silu, up, result=f"gated{i}"), "y" if i == blocks else f"y{i}")
    model.save(folder)
