# ===- version_models.py - Models of older opsets ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py: operators as they were."""
import numpy as np
from make_model import model, node, tensors, value, weights


def aligned_at_axis(_):
    """Before opset 7, the second operand aligned at an axis: here along the rows."""
    nodes = [node("Less", "x rows", "l", broadcast=1, axis=0), node("Greater", "x rows", "g", broadcast=1, axis=0),
             node("Or", "l g", "y")]
    return model(nodes, tensors(rows=weights(2)), [value("x", [2, 4])], opset=6)


def pow_of_number(_):
    return model([node("Pow", "x two", "y", broadcast=1)], tensors(two=np.float32(2)), opset=6)


def other_shapes(_):
    return model([node("And", "a b", "y", "/both")], inputs=[value("a", [2, 4], 9), value("b", [4], 9)], opset=6)
