# ===- restamp.py - Node cases in other opsets -----------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The node cases are models of the newest version of their operator only. Most versions add types and nothing else, so
that a case whose model the checker accepts in an older opset says the same there."""
import collections
import copy

import onnx

OLDEST = 6  # the importer's promise
MOST = 3  # cases for each version of an operator
# Before opset 13, all dimensions from the axis on were one: the same where it is the last one.
LAST_AXIS_BEFORE = {"LogSoftmax": 13, "Softmax": 13}
# Before, the second input was the attribute 'axes'; negative ones came with opset 11.
AXES_ATTRIBUTE_BEFORE = {"ReduceMean": 18, "ReduceSum": 13, "Squeeze": 13, "Unsqueeze": 13}
# Before opset 7, and 8 for those of any number of operands, other shapes needed an attribute or were not possible.
SAME_SHAPES_BEFORE = {
    **dict.fromkeys(("Add", "And", "Div", "Equal", "Gemm", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"), 7),
    **dict.fromkeys(("Max", "Mean", "Min", "Sum"), 8),
}


def since_versions():
    """Operator of the default domain -> the opsets that changed it, for the onnx package in use."""
    versions = collections.defaultdict(set)
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain:
            versions[schema.name].add(schema.since_version)
    return versions


def version_in(versions, opset):
    """The version of an operator that an opset has; None before its first."""
    return max((version for version in versions if version <= opset), default=None)


def promised(versions):
    """Those that the opsets from the oldest on have."""
    return sorted({version_in(versions, max(version, OLDEST)) for version in versions})


def shape(value):
    return tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)


def means_the_same(model, opset):
    node, inputs = model.graph.node[0], model.graph.input
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), None)
    if opset < LAST_AXIS_BEFORE.get(node.op_type, 0) and axis not in (-1, len(shape(inputs[0])) - 1):
        return False
    return len({shape(value) for value in inputs}) == 1 or opset >= SAME_SHAPES_BEFORE.get(node.op_type, 0)


def with_axes_attribute(model, opset, inputs):
    """Turns the second input to the attribute; whether it could."""
    node = model.graph.node[0]
    if opset >= AXES_ATTRIBUTE_BEFORE.get(node.op_type, 0) or len(node.input) < 2:
        return True
    axes = [int(axis) for axis in inputs[1]]
    if not axes or (min(axes) < 0 and opset < 11):
        return False
    node.attribute.append(onnx.helper.make_attribute("axes", axes))
    del node.input[1], model.graph.input[1]
    return True


def accepted(model):
    try:
        onnx.checker.check_model(model, full_check=True)
        return True
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False


def restamped(cases, operators):
    """Yields (case, opset, model): cases of one node of `operators`, in the opsets that changed it."""
    versions, taken = since_versions(), collections.Counter()
    for case in sorted(cases, key=lambda case: case.name):
        nodes, imports = case.model.graph.node, case.model.opset_import
        if len(nodes) != 1 or nodes[0].domain or nodes[0].op_type not in operators or len(imports) != 1:
            continue
        op = nodes[0].op_type
        native, known = version_in(versions[op], imports[0].version), versions[op]
        for version in promised(known):
            opset = max(version, OLDEST)
            if version == native or taken[op, version] == MOST or not means_the_same(case.model, opset):
                continue
            model = copy.deepcopy(case.model)
            model.opset_import[0].version = opset
            if with_axes_attribute(model, opset, case.data_sets[0][0]) and accepted(model):
                taken[op, version] += 1
                yield case, opset, model
