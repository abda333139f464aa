# ===- zero_model.py - Models with weights that take no space ---------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Square layers with relu between, for benchmarks that start from random weights."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper


def save(folder, width, layers):
    """Writes model.onnx. Its weights are a file of zeros without blocks on the disk."""
    nodes, weights, value = [], [], "x"
    for i in range(1, layers + 1):
        weight = TensorProto(name=f"fc{i}.weight", data_type=TensorProto.FLOAT, dims=[width, width],
                             data_location=TensorProto.EXTERNAL)
        for key, text in (("location", "weights.bin"), ("offset", "0"), ("length", str(4 * width * width))):
            weight.external_data.add(key=key, value=text)
        bias = helper.make_tensor(f"fc{i}.bias", TensorProto.FLOAT, [width], np.zeros(width, np.float32).tobytes(),
                                  raw=True)
        weights += [weight, bias]
        result = "y" if i == layers else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, weight.name, bias.name], [result], name=f"/fc{i}/Gemm", transB=1))
        if i < layers:
            nodes.append(helper.make_node("Relu", [result], [f"y{i}"], name=f"/act{i}/Relu"))
            value = f"y{i}"
    shaped = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(nodes, "square", [shaped("x")], [shaped("y")], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              os.path.join(folder, "model.onnx"))
    with open(os.path.join(folder, "weights.bin"), "wb") as file:
        file.truncate(4 * width * width)
