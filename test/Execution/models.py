# ===- models.py - ONNX models for the execution tests ------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, OPSET_GELU = 17, 20


class Graph:
    """Builds a graph node by node; methods return the name of the result."""

    def __init__(self, opset=OPSET):
        self.nodes, self.initializers, self.opset, self.count = [], [], opset, 0

    def tensor(self, name, value):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def constant(self, value, dtype=np.float32):
        self.count += 1
        name = f"constant_{self.count}"
        value = numpy_helper.from_array(np.asarray(value, dtype), name)
        self.nodes.append(helper.make_node("Constant", [], [name], name=f"/{name}", value=value))
        return name

    def add(self, op, *inputs, result=None, name=None, **attributes):
        self.count += 1
        result = result or f"value_{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [result], name=name or f"/{op}_{self.count}",
                                           **attributes))
        return result

    def save(self, path, inputs, outputs):
        """inputs, outputs: {name: shape}, float32; a string is a dynamic dimension."""
        shaped = lambda values: [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in values.items()]
        graph = helper.make_graph(self.nodes, "graph", shaped(inputs), shaped(outputs), self.initializers)
        opsets = {"": self.opset, **{node.domain: 1 for node in self.nodes if node.domain}}
        imports = [helper.make_opsetid(*item) for item in opsets.items()]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        onnx.save(model, path)


def activation(graph, kind, x):
    """Nodes of an activation; gelu in the decomposed spellings that exporters write."""
    if kind == "identity":
        return graph.add("Identity", x)
    if kind in ("relu", "tanh", "sigmoid", "elu"):
        return graph.add(kind.capitalize(), x)
    if kind == "leaky_relu":
        return graph.add("LeakyRelu", x)
    if kind == "silu":
        return graph.add("Mul", graph.add("Sigmoid", x), x)
    if kind == "gelu":
        erf = graph.add("Erf", graph.add("Div", x, graph.constant(1.4142135381698608)))
        product = graph.add("Mul", x, graph.add("Add", erf, graph.constant(1.0)))
        return graph.add("Mul", product, graph.constant(0.5))
    if kind == "gelu_tanh":
        cube = graph.add("Mul", x, graph.add("Mul", x, x))
        inner = graph.add("Add", x, graph.add("Mul", cube, graph.constant(0.044715)))
        tanh = graph.add("Tanh", graph.add("Mul", inner, graph.constant(0.7978845608)))
        return graph.add("Mul", graph.add("Mul", x, graph.constant(0.5)), graph.add("Add", tanh, graph.constant(1.0)))
    raise ValueError(kind)


def save_mlp(path, network, parameters, matmul=False):
    """The dense `parameters` of a reference.Network as Gemm nodes, or MatMul and Add, fc1, fc2, …"""
    graph, value = Graph(), "x"
    for i in range(1, network.depth + 1):
        last = i == network.depth
        weight, bias = parameters[f"fc{i}.weight"], parameters.get(f"fc{i}.bias")
        result = "y" if last else f"z{i}"
        bias_name = [] if bias is None else [graph.tensor(f"fc{i}.bias", bias.astype(np.float32))]
        if matmul:
            name = graph.tensor(f"fc{i}.weight", weight.T.astype(np.float32))
            value = graph.add("MatMul", value, name, name=f"/fc{i}/MatMul", result=None if bias_name else result)
            if bias_name:
                value = graph.add("Add", *bias_name, value, name=f"/fc{i}/Add", result=result)
        else:
            name = graph.tensor(f"fc{i}.weight", weight.astype(np.float32))
            value = graph.add("Gemm", value, name, *bias_name, result=result, name=f"/fc{i}/Gemm", transB=1)
        if not last:
            value = activation(graph, network.activation, value)
    graph.save(path, {"x": ["batch", network.widths[0]]}, {"y": ["batch", network.widths[-1]]})
