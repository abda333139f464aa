# ===- cases.py - A case of ONNX's test data ------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""What a test case holds, and whether it can be run: by its operators, its types and its values."""
import glob
import os

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

# The operators of tiers T0 and T1, optimizers, and those that exporters write around them for masks and shapes.
OPERATORS = set("""
    Add Cast Constant Div Dropout Elu Erf Flatten Gelu Gemm Identity LayerNormalization LeakyRelu LogSoftmax MatMul Mul Pow RMSNormalization
    Reciprocal ReduceMean ReduceSum Relu Reshape Sigmoid Softmax SoftmaxCrossEntropyLoss Sqrt Sub Tanh Transpose
    CastLike Clip Concat Exp Expand Gather HardSigmoid HardSwish Log Neg NegativeLogLikelihoodLoss Shape Slice Softplus
    Split Squeeze Swish Unsqueeze Where
    Adagrad Adam Momentum
    Abs And ConstantOfShape Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Not Or Range Size Sum Trilu Xor
""".split())

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
TYPES = FLOATS + (TensorProto.BOOL, TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
                  TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64)

# Inputs that must be known when a model is compiled: shapes, axes, ratios. Where a test makes them inputs of the
# model, phantom-run gets them as --constants.
CONSTANT_INPUTS = {
    "ConstantOfShape": {0}, "Dropout": {1, 2}, "Expand": {1}, "Range": {0, 1, 2}, "ReduceMean": {1}, "ReduceSum": {1},
    "Reshape": {1}, "Slice": {1, 2, 3, 4}, "Split": {1}, "Squeeze": {1}, "Trilu": {1}, "Unsqueeze": {1},
}


# Attributes that a case's outputs were made with, and that its model states in newer versions of onnx only: it runs with them.
UNSTATED = {"node/test_adam_multiple": {"epsilon": 0.01}}

# Types that newer files have.
NEWER_TYPES = {17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
               23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2", 27: "float6e2m3", 28: "float6e3m2"}


def type_name(number):
    names = {**NEWER_TYPES, **{value: name for name, value in TensorProto.DataType.items()}}
    return names.get(number, f"number {number}").lower()


def load_tensor(path):
    tensor = TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return tensor


class Case:

    def __init__(self, name, path):
        self.name, self.path = name, path
        self.model = onnx.load(path)
        node = self.model.graph.node[0]
        stated = {attribute.name for attribute in node.attribute}
        unstated = {key: value for key, value in UNSTATED.get(name.removeprefix("pypi/"), {}).items() if key not in stated}
        node.attribute.extend(onnx.helper.make_attribute(key, value) for key, value in unstated.items())
        self.is_changed = bool(unstated)
        graph = self.model.graph
        given = {tensor.name for tensor in graph.initializer}
        self.inputs = [value for value in graph.input if value.name not in given]
        read = {name for node in graph.node for i, name in enumerate(node.input)
                if (node.op_type, i) != ("CastLike", 1)}
        self.types_only = {value.name for value in self.inputs} - read
        self.bfloat16 = {value.name for value in graph.output
                         if value.type.tensor_type.elem_type == TensorProto.BFLOAT16}
        self.constants = {
            node.input[i] for node in graph.node for i in CONSTANT_INPUTS.get(node.op_type, ()) if i < len(node.input)
        } & {value.name for value in self.inputs}

    def model_file(self, folder):
        """The file to run: the case's own, or one in `folder` of what was changed."""
        if not self.is_changed:
            return self.path
        onnx.save(self.model, os.path.join(folder, "model.onnx"))
        return os.path.join(folder, "model.onnx")

    def data_sets(self):
        """(inputs by name, outputs by name) of each set, as arrays."""
        folder = os.path.dirname(self.path)
        for data in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
            inputs = self._values(data, "input", self.inputs)
            # Whatever the data of these is: it says no more than their type.
            for info in self.inputs:
                if info.name in self.types_only and None not in self._stated_shape(info):
                    inputs[info.name] = np.zeros(self._stated_shape(info), inputs[info.name].dtype)
            yield inputs, self._values(data, "output", self.model.graph.output)

    @staticmethod
    def _stated_shape(info):
        """Extents; None where one is dynamic."""
        return [dim.dim_value if dim.HasField("dim_value") else None for dim in info.type.tensor_type.shape.dim]

    @staticmethod
    def _values(folder, kind, infos):
        values = {}
        for number in range(len(glob.glob(os.path.join(folder, f"{kind}_*.pb")))):
            tensor = load_tensor(os.path.join(folder, f"{kind}_{number}.pb"))
            names = [info.name for info in infos]
            name = tensor.name if tensor.name in names else names[number]
            info = infos[names.index(name)]
            value = numpy_helper.to_array(tensor)
            if info.type.tensor_type.elem_type == TensorProto.BFLOAT16 and value.dtype == np.uint16:
                value = (value.astype(np.uint32) << 16).view(np.float32)
            values[name] = value
        return values

    def reason(self):
        """Why the case cannot be run; nothing if it can."""
        return self._operators() or self._types() or self._values_reason()

    def _operators(self):
        nodes = self.model.graph.node
        domains = {node.domain for node in nodes} - {"", "ai.onnx", "ai.onnx.preview.training"}
        if domains:
            return f"domain {sorted(domains)[0]}"
        missing = {node.op_type for node in nodes} - OPERATORS
        return f"operator {', '.join(sorted(missing))} is not in T0 or T1" if missing else None

    def _types(self):
        tensors = [attribute.t.data_type for node in self.model.graph.node for attribute in node.attribute
                   if attribute.type == onnx.AttributeProto.TENSOR]
        for node in self.model.graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name in ("value_string", "value_strings", "sparse_value"):
                    return f"type of {attribute.name}"
                if node.op_type == "Cast" and attribute.name == "to":
                    tensors.append(attribute.i)
        for info in [*self.model.graph.input, *self.model.graph.output]:
            if info.type.WhichOneof("value") != "tensor_type":
                return f"type {info.type.WhichOneof('value')}"
            tensors.append(info.type.tensor_type.elem_type)
        other = sorted({type_name(number) for number in tensors if number not in TYPES})
        return f"type {', '.join(other)}" if other else None

    def _values_reason(self):
        for inputs, outputs in self.data_sets():
            for node in self.model.graph.node:
                if node.op_type == "Dropout" and len(node.input) > 2 and np.any(inputs.get(node.input[2], False)):
                    ratio = inputs.get(node.input[1], np.float32(0.5)) if node.input[1] else 0.5
                    if np.any(ratio != 0):
                        return "random numbers: Dropout in training mode"
            data = [info for info in self.inputs if info.name not in self.constants]
            if data and self._stated_shape(data[0])[:1] == [0]:
                return "a batch without rows"
            for info in self.inputs:
                stated = self._stated_shape(info)
                shape = inputs[info.name].shape if info.name in inputs else ()
                if len(stated) != len(shape) or any(s not in (None, extent) for s, extent in zip(stated, shape)):
                    return f"the data of the input {info.name} has another shape than the model states"
        return None
