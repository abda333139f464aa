# ===- folding_models.py - Models that compute shapes --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py: what the importer computes from shapes, and where it says that it cannot."""
import numpy as np
from make_model import model, node, outputs, tensors, value
from onnx import TensorProto

CUBE = lambda: [value("x", ["batch", 2, 4])]
I = np.int64


# --- What is computed --------------------------------------------------------------------------------------


def batch_of_shape(_):
    """[batch, 8], as exporters write x.view(x.shape[0], -1)."""
    return model([node("Shape", "x", "s"), node("Gather", "s zero", "b", axis=0), node("Unsqueeze", "b axis", "u"),
                  node("Concat", "u rest", "shape", axis=0), node("Reshape", "x shape", "y")],
                 tensors(zero=I(0), axis=I([0]), rest=I([-1])), CUBE())


def merged_batch(_):
    """[2 * batch, 4], and back with the batch as (2 * batch) / 2."""
    return model([node("Shape", "x", "s"), node("Slice", "s zero one", "b"), node("Mul", "b two", "rows"),
                  node("Concat", "rows four", "merged", axis=0), node("Reshape", "x merged", "m"),
                  node("Shape", "m", "t", end=1), node("Div", "t two", "batch"),
                  node("Concat", "batch two four", "cube", axis=0), node("Reshape", "m cube", "y")],
                 tensors(zero=I([0]), one=I([1]), two=I([2]), four=I([4])), CUBE())


def half_width(_):
    """x[..., : (width + 1) // 2], with the nodes that exporters add."""
    nodes = [node("Shape", "x", "s"), node("Gather", "s last", "w", axis=0),
             node("Cast", "w", "w32", to=TensorProto.INT32, saturate=1), node("Add", "w32 one", "more"),
             node("Div", "more two", "half"), node("Cast", "half", "h", to=TensorProto.INT64),
             node("Squeeze", "h axis", "q"), node("Unsqueeze", "q axis", "end"), node("Slice", "x zero end last", "y")]
    constants = tensors(last=I([-1]), one=np.int32([1]), two=np.int32([2]), axis=I([0]), zero=I([0]))
    return model(nodes, constants, CUBE(), opset=19)


def causal_mask(_):
    """Row >= column, from ranges over a fixed width."""
    return model([node("Shape", "x", "s", start=2), node("Squeeze", "s", "n"), node("Range", "zero n one", "r"),
                  node("Unsqueeze", "r axis", "column"), node("GreaterOrEqual", "column r", "mask"),
                  node("Where", "mask x low", "y")],
                 tensors(zero=I(0), one=I(1), axis=I([1]), low=np.float32(-1)), [value("x", ["batch", 4, 4])])


def batch_cancels(_):
    """3 * batch / batch is 3, and 0 is less than the batch, whatever that is."""
    nodes = [node("Shape", "x", "s", end=1), node("Mul", "s three", "m"), node("Div", "m s", "n"),
             node("Less", "zero s", "yes"), node("Where", "yes n four", "shape"), node("Expand", "row shape", "y")]
    constants = tensors(zero=I([0]), three=I([3]), four=I([4]), row=np.float32([5]))
    return model(nodes, constants, CUBE())


def size_and_fill(_):
    """As many ones as a fixed tensor has elements."""
    nodes = [node("Size", "x", "n"), node("Unsqueeze", "n axis", "shape"), node("ConstantOfShape", "shape", "zeros"),
             node("Reshape", "x shape", "flat"), node("Add", "flat zeros", "y")]
    return model(nodes, tensors(axis=I([0])), [value("x", [2, 3])])


# --- What is not -------------------------------------------------------------------------------------------


def range_of_batch(_):
    return model([node("Shape", "x", "s", end=1), node("Squeeze", "s", "n"), node("Range", "zero n one", "r", "/count"),
                  node("Cast", "r", "y", to=TensorProto.FLOAT)], tensors(zero=I(0), one=I(1)), CUBE())


def batch_twice(_):
    nodes = [node("Shape", "x", "s", end=1), node("Concat", "s s", "shape", axis=0),
             node("Reshape", "x shape", "y", "/view")]
    return model(nodes, inputs=CUBE())


def batch_as_data(_):
    nodes = [node("Shape", "x", "s"), node("Cast", "s", "y", "/to_float", to=TensorProto.FLOAT)]
    return model(nodes, inputs=CUBE())


def batch_as_output(_):
    return model([node("Shape", "x", "y")], inputs=CUBE())


def computed_axis(_):
    nodes = [node("Cast", "x", "i", to=TensorProto.INT64), node("ReduceSum", "x i", "y", "/sum")]
    return model(nodes, inputs=[value("x", [1])])


def uneven_batch(_):
    """batch / 2 is no number of rows."""
    nodes = [node("Shape", "x", "s", end=1), node("Div", "s two", "half"),
             node("Concat", "half rest", "shape", axis=0), node("Reshape", "x shape", "y", "/view")]
    return model(nodes, tensors(two=I([2]), rest=I([-1])), CUBE())


def stretched_batch(_):
    nodes = [node("Shape", "x", "s"), node("Expand", "row s", "y", "/wide")]
    return model(nodes, tensors(row=np.float32([3])), CUBE())


# --- Inputs that become constants --------------------------------------------------------------------------


def bound_shape(_):
    """Reshape to a shape that is an input."""
    inputs = [value("x", [2, 6]), value("shape", [2], TensorProto.INT64)]
    return model([node("Reshape", "x shape", "y", "/view")], inputs=inputs)


def bound_range(_):
    """Numbers that are inputs; bfloat16 holds 1/3 as 0.333984375."""
    inputs = [value(name, [], TensorProto.BFLOAT16) for name in ("start", "limit", "delta")]
    return model([node("Range", "start limit delta", "y", "/count")], inputs=inputs, opset=27)


def bound_stash_type(_):
    inputs = [value(name, [], TensorProto.FLOAT16) for name in ("start", "limit", "delta")]
    return model([node("Range", "start limit delta", "y", "/count", stash_type=10)], inputs=inputs, opset=27)
