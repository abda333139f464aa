# ===- bad_models.py - Models that the importer refuses ------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py; each takes the output folder, for files beside the model."""
import os
import random

import numpy as np
from good_models import external_tensor
from make_model import FLOAT, model, node, tensors, value, weights
from onnx import AttributeProto, TensorProto, helper, numpy_helper


# --- Operators ---------------------------------------------------------------------------------------


def unsupported(_):
    return model([node("Conv", "x w", "1", "/conv1/Conv"), node("Conv", "1 w", "2", "/conv2/Conv"), node("Relu", "2", "3"),
                  node("FusedGelu", "3", "4", domain="com.microsoft"), node("Det", "4", "y")],
                 tensors(w=weights(4, 4)), domains=["com.microsoft"])


def opset_too_new(_):
    return model([node("Gemm", "x w", "y", "/fc/Gemm")], tensors(w=weights(4, 4)), opset=99)


def opset_too_old(_):
    return model([node("Gelu", "x", "y", "/act/Gelu")], opset=17)


def no_opset(_):
    result = model([node("Relu", "x", "y")])
    del result.opset_import[:]
    return result


def unknown_attribute(_):
    return model([node("Relu", "x", "y", "/act/Relu", sharpness=2.0)])


def wrong_attribute_type(_):
    return model([node("Gemm", "x w", "y", "/fc/Gemm", alpha=1)], tensors(w=weights(4, 4)))


def unknown_attribute_type(_):
    result = model([node("Softmax", "x", "y", "/sm", axis=1)])
    result.graph.node[0].attribute[0].ClearField("type")
    return result


def too_many_inputs(_):
    return model([node("Relu", "x x", "y", "/act/Relu")])


def missing_input(_):
    return model([node("Gemm", "x -", "y", "/fc/Gemm")])


def computed_shape(_):
    return model([node("Reshape", "x z", "y", "/view")], inputs=[value("x", [2, 4]), value("z", [2])])


# --- Graph ---------------------------------------------------------------------------------------------


def cycle(_):
    return model([node("Add", "x c", "a", "/one"), node("Relu", "a", "b", "/two"), node("Tanh", "b", "c", "/three"),
                  node("Relu", "c", "y")])


def self_cycle(_):
    return model([node("Add", "x y", "y", "/loop")])


def undefined(_):
    return model([node("Relu", "nowhere", "y", "/act/Relu")])


def undefined_output(_):
    return model([node("Relu", "x", "z")])


def duplicate(_):
    return model([node("Relu", "x", "y", "/one"), node("Tanh", "x", "y", "/two")])


def duplicate_initializer(_):
    return model([node("Add", "x w", "y")], tensors(w=weights(4)) + tensors(w=weights(4)))


def no_outputs(_):
    result = model([node("Relu", "x", "y")])
    del result.graph.output[:]
    return result


def empty_graph(_):
    result = model([node("Relu", "x", "y")])
    result.ClearField("graph")
    return result


def deep(_):
    """A long chain, on which recursion would run out of stack."""
    count = 50000
    names = ["x"] + [f"v{i}" for i in range(count - 1)] + ["v"]
    chain = [node("Identity", names[i], names[i + 1]) for i in range(count)]
    return model(list(reversed(chain)) + [node("Relu", "v", "y")])


def doubling(_):
    """Squares of squares: every value is used twice, so that a tree of it has 2^64 leaves."""
    names = ["x"] + [f"v{i}" for i in range(63)] + ["y"]
    return model([node("Mul", f"{a} {a}", b) for a, b in zip(names, names[1:])])


# --- Shapes --------------------------------------------------------------------------------------------


def integer_input(_):
    return model([node("Relu", "x", "y")], inputs=[value("x", ["batch", 4], TensorProto.INT64)])


def dynamic_width(_):
    return model([node("Relu", "x", "y")], inputs=[value("x", ["batch", "width"])])


def no_shape(_):
    return model([node("Relu", "x", "y")], inputs=[value("x", None)])


def negative_extent(_):
    return model([node("Relu", "x", "y")], inputs=[value("x", [-4, 4])])


def huge_input(_):
    return model([node("Relu", "x", "y")], inputs=[value("x", [1 << 40, 1 << 40])])


def huge_broadcast(_):
    return model([node("Add", "x z", "y", "/add")], inputs=[value("x", [1 << 40, 1]), value("z", [1, 1 << 40])])


def width_mismatch(_):
    return model([node("Gemm", "x w", "y", "/fc/Gemm")], tensors(w=weights(5, 3)))


def broadcast_mismatch(_):
    return model([node("Add", "x b", "y", "/add")], tensors(b=weights(3)))


def reshape_mismatch(_):
    return model([node("Reshape", "x s", "y", "/view")], tensors(s=np.int64([3, -1])), [value("x", [2, 4])])


def shape_of_a_fraction(_):
    """Of 4 columns, 3 go to each row: 4/3 rows for each of the batch."""
    return model([node("Reshape", "x s", "v", "/view"), node("Shape", "v", "d", "/shape"), node("Gather", "d i", "n", "/n"),
                  node("Concat", "n m", "t", "/t", axis=0), node("Reshape", "x t", "y", "/back")],
                 tensors(s=np.array([-1, 3]), i=np.array([0]), m=np.array([-1])))


def reshape_fixed_batch(_):
    return model([node("Reshape", "x s", "y", "/view")], tensors(s=np.int64([8, 4])))


def bad_permutation(_):
    return model([node("Transpose", "x", "y", "/t", perm=[0, 0])])


def bad_axis(_):
    return model([node("Softmax", "x", "y", "/sm", axis=2)])


# --- Tensors -------------------------------------------------------------------------------------------


def broken_tensor(change):
    tensor = numpy_helper.from_array(weights(3, 4), "fc.weight")
    change(tensor)
    return model([node("Gemm", "x fc.weight", "y", transB=1)], [tensor])


def short_data(_):
    return broken_tensor(lambda t: setattr(t, "raw_data", t.raw_data[:-1]))


def negative_dim(_):
    return broken_tensor(lambda t: t.dims.__setitem__(0, -3))


def overflowing_dims(_):
    return broken_tensor(lambda t: t.dims.extend([1 << 62, 1 << 62, 1 << 62]))


def string_weight(_):
    return broken_tensor(lambda t: setattr(t, "data_type", TensorProto.STRING))


def unknown_type(_):
    return broken_tensor(lambda t: setattr(t, "data_type", 23))


def empty_weight(_):
    return model([node("Gemm", "x w", "y", transB=1)], tensors(w=np.zeros((0, 4), np.float32)))


# --- External data ---------------------------------------------------------------------------------------


def with_external(tensor):
    return model([node("Gemm", "x fc.weight", "y", "/fc/Gemm", transB=1)], [tensor])


def external_missing(_):
    return with_external(external_tensor("fc.weight", (3, 4), "nowhere.bin"))


def external_escape(folder):
    with open(os.path.join(os.path.dirname(os.path.abspath(folder)), "outside.bin"), "wb") as file:
        file.write(weights(3, 4).tobytes())
    return with_external(external_tensor("fc.weight", (3, 4), "../outside.bin"))


def external_link(folder):
    """A symbolic link inside the folder to a file outside."""
    outside = os.path.join(os.path.dirname(os.path.abspath(folder)), "linked.bin")
    with open(outside, "wb") as file:
        file.write(weights(3, 4).tobytes())
    link = os.path.join(folder, "link.bin")
    if not os.path.lexists(link):
        os.symlink(outside, link)
    return with_external(external_tensor("fc.weight", (3, 4), "link.bin"))


def external_absolute(_):
    return with_external(external_tensor("fc.weight", (3, 4), "/etc/passwd"))


def external_truncated(folder):
    with open(os.path.join(folder, "short.bin"), "wb") as file:
        file.write(weights(3, 4).tobytes()[:-4])
    return with_external(external_tensor("fc.weight", (3, 4), "short.bin"))


def external_offset(folder):
    with open(os.path.join(folder, "small.bin"), "wb") as file:
        file.write(weights(3, 4).tobytes())
    return with_external(external_tensor("fc.weight", (3, 4), "small.bin", offset=(1 << 63) - 1))


def external_length(folder):
    with open(os.path.join(folder, "long.bin"), "wb") as file:
        file.write(weights(30, 4).tobytes())
    return with_external(external_tensor("fc.weight", (3, 4), "long.bin", length=52))


def external_no_location(_):
    tensor = external_tensor("fc.weight", (3, 4), "x")
    del tensor.external_data[:]
    return with_external(tensor)


# --- Files -------------------------------------------------------------------------------------------------


def digits_like():
    return model([node("Gemm", "x fc1.weight fc1.bias", "1", "/fc1/Gemm", transB=1), node("Relu", "1", "2", "/act/Relu"),
                  node("Gemm", "2 fc2.weight fc2.bias", "y", "/fc2/Gemm", transB=1)],
                 tensors(fc1__weight=weights(8, 4), fc1__bias=weights(8), fc2__weight=weights(3, 8), fc2__bias=weights(3)))


def empty_file(_):
    return b""


def lfs_pointer(_):
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"


def truncated(_):
    data = digits_like().SerializeToString()
    return data[:len(data) // 2]


def random_bytes(_):
    return random.Random(1).randbytes(4096)


def text_file(_):
    return b"This is not a model.\n"


# --- Normalisation -----------------------------------------------------------------------------------


def layer_norm_axis(_):
    return model([node("LayerNormalization", "x s", "y", "/n", axis=2)], tensors(s=weights(4)))


def layer_norm_batch(_):
    return model([node("LayerNormalization", "x s", "y", "/n", axis=0)], tensors(s=weights(4)))


def layer_norm_epsilon(_):
    return model([node("LayerNormalization", "x s", "y", "/n", epsilon=-1.0)], tensors(s=weights(4)))


def layer_norm_stash(_):
    return model([node("LayerNormalization", "x s", "y", "/n", stash_type=7)], tensors(s=weights(4)))


def layer_norm_scale(_):
    return model([node("LayerNormalization", "x s", "y", "/n")], tensors(s=weights(3)))


def rms_norm_old(_):
    return model([node("RMSNormalization", "x s", "y", "/n")], tensors(s=weights(4)), opset=22)
