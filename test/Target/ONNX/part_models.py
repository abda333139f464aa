# ===- part_models.py - Models that move parts of tensors ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py: Slice, Split, Concat, Gather and Trilu, as they should be and as they should not."""
import numpy as np
from make_model import FLOAT, model, node, outputs, tensors, value, weights
from onnx import TensorProto

INT64 = TensorProto.INT64
CUBE = lambda: [value("x", ["batch", 4, 6])]
I = np.int64


# --- What is imported --------------------------------------------------------------------------------------


def slices(_):
    """Beyond the ends, from the end, backwards with steps, and all of the batch."""
    constants = tensors(a=I([1, -2]), b=I([100, 6]), axes=I([1, 2]), c=I([-1]), d=I([-100]), axis=I([-1]), step=I([-2]),
                        zero=I([0]), most=I([2**63 - 1]), batch=I([0]))
    return model([node("Slice", "x a b axes", "y"), node("Slice", "x c d axis step", "z"),
                  node("Slice", "x zero most batch", "w")], constants, CUBE(), outputs("y", "z", "w"))


def slice_attributes(_):
    return model([node("Slice", "x", "y", starts=[0, 2], ends=[2, -1], axes=[1, 2])], inputs=CUBE(), opset=9)


def splits(_):
    """Sizes, equal parts, and since opset 18 a smaller last part."""
    constants = tensors(sizes=I([1, 3]))
    nodes = [node("Split", "x sizes", "a b", axis=1), node("Split", "x", "c d", axis=-1, num_outputs=2),
             node("Split", "x", "e f g h", axis=2, num_outputs=4)]
    return model(nodes, constants, CUBE(), outputs(*"abcdefgh"), opset=18)


def concats(_):
    return model([node("Concat", "x x", "y", axis=-1), node("Concat", "x t", "z", axis=1)], tensors(t=weights(2, 1, 6)),
                 [value("x", [2, 4, 6])], outputs("y", "z"))


def gathers(_):
    """Rows of a trained table by an input; columns by constants, one from the end; one column."""
    constants = tensors(table=weights(10, 3), columns=I([[0, -1], [2, 2]]), column=np.int32(1))
    return model([node("Gather", "table tokens", "y"), node("Gather", "x columns", "z", axis=2),
                  node("Gather", "x column", "w", axis=1)], constants,
                 [value("tokens", ["batch", 5], INT64)] + CUBE(), outputs("y", "z", "w"))


def upper_and_lower(_):
    nodes = [node("Trilu", "x", "y"), node("Trilu", "x k", "z", upper=0)]
    return model(nodes, tensors(k=I(1)), CUBE(), outputs("y", "z"))


def no_elements(_):
    """A part without elements, which a Concat adds again."""
    constants = tensors(sizes=I([0, 6]), start=I([9]), end=I([0]), axis=I([2]))
    return model([node("Split", "x sizes", "a b", axis=2), node("Slice", "x start end axis", "c"),
                  node("Concat", "a b c", "y", axis=2)], constants, CUBE())


# --- What is refused ---------------------------------------------------------------------------------------


def slice_step(_):
    return model([node("Slice", "x a b c d", "y", "/part")], tensors(a=I([0]), b=I([4]), c=I([1]), d=I([0])))


def slice_lengths(_):
    return model([node("Slice", "x a b c", "y", "/part")], tensors(a=I([0, 0]), b=I([4]), c=I([1, 1])))


def slice_axes(_):
    return model([node("Slice", "x a b c", "y", "/part")], tensors(a=I([0, 0]), b=I([4, 4]), c=I([1, -1])))


def slice_batch(_):
    return model([node("Slice", "x a b c", "y", "/part")], tensors(a=I([1]), b=I([4]), c=I([0])))


def slice_no_ends(_):
    return model([node("Slice", "x", "y", "/part", starts=[0])], opset=9)


def split_uneven(_):
    return model([node("Split", "x", "y z w", "/parts", axis=1)], outputs=outputs("y"))


def split_sizes(_):
    return model([node("Split", "x a", "y z", "/parts", axis=1)], tensors(a=I([1, 2])), outputs=outputs("y"))


def split_outputs(_):
    return model([node("Split", "x", "y z", "/parts", axis=1, num_outputs=3)], outputs=outputs("y"), opset=18)


def split_batch(_):
    return model([node("Split", "x", "y z", "/parts")], outputs=outputs("y"))


def concat_axis(_):
    return model([node("Concat", "x x", "y", "/join")])


def concat_shapes(_):
    return model([node("Concat", "x t", "y", "/join", axis=1)], tensors(t=weights(3, 4)), [value("x", [2, 4])])


def concat_batch(_):
    return model([node("Concat", "x x", "y", "/join", axis=0)])


def gather_index(_):
    return model([node("Gather", "x i", "y", "/pick", axis=1)], tensors(i=I([0, -5])))


def gather_floats(_):
    return model([node("Gather", "x x", "y", "/pick", axis=1)])


def gather_axis(_):
    return model([node("Gather", "x i", "y", "/pick", axis=2)], tensors(i=I([0])))


def gather_batch(_):
    return model([node("Gather", "x i", "y", "/pick", axis=0)], tensors(i=I([0])))


def gather_nothing(_):
    inputs = [value("x", ["batch", 0]), value("i", [2], INT64)]
    return model([node("Gather", "x i", "y", "/pick", axis=1)], inputs=inputs)


def trilu_vector(_):
    return model([node("Trilu", "x", "y", "/mask")], inputs=[value("x", [4])])


def product_of_nothing(_):
    return model([node("MatMul", "x w", "y", "/product")], inputs=[value("x", [2, 0]), value("w", [0, 3], FLOAT)])
