# ===- mlp.py - Writes a multi-layer perceptron as ONNX --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""What the make_*.py scripts of the examples share."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def initial_weights(rng, widths):
    """Weights [out, in] and biases [out], uniform in ±1/√in as PyTorch's Linear starts."""
    layers = []
    for n_in, n_out in zip(widths, widths[1:]):
        bound = 1 / np.sqrt(n_in)
        weight = rng.uniform(-bound, bound, (n_out, n_in)).astype(np.float32)
        layers.append((weight, rng.uniform(-bound, bound, n_out).astype(np.float32)))
    return layers


def save_onnx(path, layers, input_name, output_name, activation="Relu"):
    """Gemm nodes as PyTorch exports them (transB), `activation` between them, a dynamic batch dimension. A layer without
    a bias (None) has no activation behind it, either: with the next one it is one layer of low rank."""
    nodes, initializers, value = [], [], input_name
    for index, (weight, bias) in enumerate(layers, start=1):
        last = index == len(layers)
        names = [f"fc{index}.weight"] + ([] if bias is None else [f"fc{index}.bias"])
        initializers += [numpy_helper.from_array(a, n) for a, n in zip((weight, bias), names)]
        result = output_name if last else f"/fc{index}/Gemm_output_0"
        nodes.append(helper.make_node("Gemm", [value, *names], [result], name=f"/fc{index}/Gemm",
                                      alpha=1.0, beta=1.0, transB=1))
        value = result
        if not last and bias is not None:
            value = f"/act{index}/{activation}_output_0"
            nodes.append(helper.make_node(activation, [result], [value], name=f"/act{index}/{activation}"))
    shaped = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(nodes, "mlp", [shaped(input_name, layers[0][0].shape[1])],
                              [shaped(output_name, layers[-1][0].shape[0])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8,
                              producer_name="phantom-examples")
    onnx.checker.check_model(model)
    onnx.save(model, path)
