# ===- generate.py - The cases of the onnx package as files ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: generate.py FOLDER, in a Python that has the newest onnx and pillow.

Writes the node cases and the simple ones of that package to FOLDER/<kind>/<case>, laid out as libonnx-testdata, and node
cases in the older opsets of their operators to FOLDER/versions/<case>_opset<N>. Values that are not tensors, which the
importer does not take, are left out.
"""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import model as simple_cases
from onnx.backend.test.loader import load_node_model_tests

import cases as known
import restamp


def write_values(folder, kind, values, infos):
    for number, (value, info) in enumerate(zip(values, infos)):
        if not info.type.HasField("tensor_type"):
            continue
        if not isinstance(value, onnx.TensorProto):
            value = numpy_helper.from_array(np.asarray(value), info.name)
        with open(os.path.join(folder, f"{kind}_{number}.pb"), "wb") as file:
            file.write(value.SerializeToString())


def write_case(case, model, folder):
    graph = model.graph
    os.makedirs(folder)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for number, (inputs, outputs) in enumerate(case.data_sets):
        data = os.path.join(folder, f"test_data_set_{number}")
        os.makedirs(data)
        write_values(data, "input", inputs, graph.input)
        write_values(data, "output", outputs, graph.output)


def main():
    np.random.seed(0)
    nodes = load_node_model_tests()
    for case in [*nodes, *simple_cases.collect_testcases()]:
        if case.kind != "real":  # a model to download
            write_case(case, case.model, os.path.join(sys.argv[1], case.kind, case.name))
    for case, opset, model in restamp.restamped(nodes, known.OPERATORS):
        write_case(case, model, os.path.join(sys.argv[1], "versions", f"{case.name}_opset{opset}"))


if __name__ == "__main__":
    main()
