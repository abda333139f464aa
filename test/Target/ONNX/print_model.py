#!/usr/bin/env python3
# ===- print_model.py - Prints an ONNX model as text ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: print_model.py MODEL [--types]   one line per tensor and node; the model is not checked"""
import sys

from onnx import ModelProto, TensorProto, helper, numpy_helper

model = ModelProto()
with open(sys.argv[1], "rb") as file:
    model.ParseFromString(file.read())
graph = model.graph
print(f"ir {model.ir_version}, opset {model.opset_import[0].version}, producer {model.producer_name}, graph {graph.name}")
for kind, values in (("input", graph.input), ("output", graph.output)):
    for value in values:
        dims = value.type.tensor_type.shape.dim
        shape = " x ".join(d.dim_param or (str(d.dim_value) if d.dim_value else "?") for d in dims)
        types = [TensorProto.DataType.Name(value.type.tensor_type.elem_type)] if "--types" in sys.argv else []
        print(f"{kind} {value.name}:", shape, *types)
for tensor in graph.initializer:
    place = {entry.key: entry.value for entry in tensor.external_data}
    print(f"weight {tensor.name}:", " x ".join(map(str, tensor.dims)), *[f"{key}={value}" for key, value in place.items()])
for node in graph.node:
    text = f"{node.op_type}({', '.join(node.input)})"
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.HasField("t"):
            value = numpy_helper.to_array(value).tolist()
        text += f" {attribute.name}={round(value, 6) if isinstance(value, float) else value}"
    print(f"'{node.name}' {text}" if node.name else text)
