#!/usr/bin/env python3
# ===- make_model.py - ONNX models for the tests of the importer -----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: make_model.py DIR CASE...   writes DIR/CASE.onnx for each case

The cases are the functions of the *_models.py. Models are not checked: some are wrong on purpose, and some use operators that are
newer than Debian's onnx package.
"""
import os
import sys

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


def weights(*shape, offset=0.0):
    """Numbers that a test can predict: 0.5, 1.5, ... plus the offset."""
    return (np.arange(np.prod(shape)) + 0.5 + offset).astype(np.float32).reshape(shape)


def tensors(**arrays):
    """Initializers; '__' in a keyword stands for '.'."""
    return [numpy_helper.from_array(np.asarray(a), name.replace("__", ".")) for name, a in arrays.items()]


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def outputs(*names):
    """Of whatever shape the importer gives them."""
    return [value(name, None) for name in names]


def node(op, inputs, outputs, name="", **attributes):
    """Names are separated by spaces; '-' is an absent input."""
    absent = lambda names: ["" if n == "-" else n for n in names.split()]
    return helper.make_node(op, absent(inputs), absent(outputs), name=name, **attributes)


def model(nodes, initializers=(), inputs=None, outputs=None, opset=17, domains=()):
    inputs = inputs or [value("x", ["batch", 4])]
    outputs = outputs or [value("y", None)]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
    result = ModelProto(ir_version=8, producer_name="test", opset_import=opsets)
    result.graph.CopyFrom(graph)
    return result


def main():
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import bad_models
    import folding_models
    import function_models
    import good_models
    import part_models
    import shared_models
    import version_models

    modules = good_models, bad_models, function_models, shared_models, part_models, folding_models, version_models
    folder, cases = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    for case in cases:
        make = next(getattr(module, case) for module in modules if hasattr(module, case))
        result = make(folder)
        data = result if isinstance(result, bytes) else result.SerializeToString()
        with open(os.path.join(folder, case + ".onnx"), "wb") as file:
            file.write(data)


if __name__ == "__main__":
    main()
