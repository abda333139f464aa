# ===- good_models.py - Models that the importer reads -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py; each takes the output folder, for files beside the model."""
import os

import numpy as np
from make_model import FLOAT, model, node, tensors, value, weights
from onnx import TensorProto, helper, numpy_helper

BATCH_3D = lambda: [value("x", ["batch", 2, 4])]


# --- Linear layers -------------------------------------------------------------------------------


def mlp(_):
    """Gemm as PyTorch exports it, and MatMul + Add as for three-dimensional inputs."""
    return model(
        [node("Gemm", "x fc1.weight fc1.bias", "h", "/fc1/Gemm", transB=1, alpha=1.0, beta=1.0),
         node("Relu", "h", "r", "/act/Relu"),
         node("MatMul", "r onnx::MatMul_9", "m", "/fc2/MatMul"),
         node("Add", "fc2.bias m", "y", "/fc2/Add")],
        tensors(fc1__weight=weights(3, 4), fc1__bias=weights(3), fc2__bias=weights(2))
        + [numpy_helper.from_array(weights(3, 2), "onnx::MatMul_9")])


def gemm_io(_):
    return model([node("Gemm", "x w b", "y")], tensors(w=weights(4, 3), b=weights(3)))


def gemm_no_bias(_):
    return model([node("Gemm", "x w", "y", transB=1)], tensors(w=weights(3, 4)))


def gemm_scaled(_):
    return model([node("Gemm", "x w b", "y", transB=1, alpha=0.5, beta=2.0)], tensors(w=weights(3, 4), b=weights(3)))


def gemm_beta_zero(_):
    return model([node("Gemm", "x w b", "y", transB=1, beta=0.0)], tensors(w=weights(3, 4), b=weights(3)))


def gemm_transposed_input(_):
    return model([node("Gemm", "x w", "y", transA=1)], tensors(w=weights(4, 3)), [value("x", [4, 4])])


def gemm_addend_row(_):
    return model([node("Gemm", "x w b", "y", transB=1)], tensors(w=weights(3, 4), b=weights(1, 3)))


def gemm_addend_column(_):
    return model([node("Gemm", "x w b", "y", transB=1)], tensors(w=weights(3, 4), b=weights(5, 1)), [value("x", [5, 4])])


def gemm_addend_scalar(_):
    return model([node("Gemm", "x w b", "y", transB=1)], tensors(w=weights(3, 4), b=np.float32(2)))


def gemm_one_output(_):
    return model([node("Gemm", "x w b", "y", transB=1)], tensors(w=weights(1, 4), b=weights(1)))


def gemm_activations(_):
    return model([node("Gemm", "x z", "y", transB=1)], inputs=[value("x", ["n", 4]), value("z", [3, 4])])


def matmul_3d(_):
    return model([node("MatMul", "x w", "y")], tensors(w=weights(4, 3)), BATCH_3D())


def matmul_transposed_weight(_):
    """Without constant folding: the name is the parameter's, the layout a Transpose."""
    return model([node("Transpose", "fc.weight", "t", perm=[1, 0]), node("MatMul", "x t", "m", "/fc/MatMul"),
                  node("Add", "m fc.bias", "y")], tensors(fc__weight=weights(3, 4), fc__bias=weights(3)), BATCH_3D())


def matmul_activations(_):
    return model([node("MatMul", "x z", "y")], inputs=[value("x", [2, 5, 4]), value("z", [4, 3])])


def matmul_batched(_):
    return model([node("MatMul", "x z", "y")], inputs=[value("x", [2, 5, 4]), value("z", [1, 4, 3])])


def matmul_left_parameter(_):
    return model([node("MatMul", "w x", "y")], tensors(w=weights(3, 5)), [value("x", [2, 5, 4])])


def matmul_vectors(_):
    return model([node("MatMul", "x v", "p"), node("MatMul", "u x", "q")],
                 tensors(v=weights(4), u=weights(5)), [value("x", [5, 4])], [value("p", None), value("q", None)])


# --- Elementwise ---------------------------------------------------------------------------------


def arithmetic(_):
    constants = tensors(a=weights(4), s=np.float32(3), c=weights(1, 4), d=np.float32([2]))
    return model([node("Add", "x a", "1"), node("Sub", "s 1", "2"), node("Mul", "2 c", "3"), node("Div", "3 d", "y")],
                 constants)


def arithmetic_ranks(_):
    return model([node("Add", "x a", "y")], tensors(a=weights(1, 1, 4)))


def activations(_):
    return model([node("Relu", "x", "1"), node("LeakyRelu", "1", "2"), node("LeakyRelu", "2", "3", alpha=0.25),
                  node("Elu", "3", "4"), node("Elu", "4", "5", alpha=0.5), node("Sigmoid", "5", "6"), node("Tanh", "6", "7"),
                  node("Gelu", "7", "8"), node("Gelu", "8", "9", approximate="tanh"), node("Erf", "9", "10"),
                  node("Sqrt", "10", "y")], opset=20)


def power(_):
    constants = tensors(two=np.float32(2), three=np.int64(3))
    return model([node("Pow", "x two", "1"), node("Pow", "1 three", "y")], constants)


def dropout(_):
    constants = tensors(ratio=np.float32(0.25), training=np.bool_(True))
    return model([node("Dropout", "x ratio training", "1 mask"), node("Dropout", "1", "y")], constants)


def dropout_10(_):
    return model([node("Dropout", "x", "y", ratio=0.1)], opset=10)


def old_opset(_):
    """PyTorch's test_Linear: opset 6, with its attribute, and initializers that are inputs, too."""
    inputs = [value("x", [5, 4]), value("w", [3, 4]), value("b", [3])]
    return model([node("Gemm", "x w b", "h", transB=1, broadcast=1), node("Relu", "h", "y")],
                 tensors(w=weights(3, 4), b=weights(3)), inputs, opset=6)


# --- GELU and SiLU as exporters spell them ---------------------------------------------------------


def scalar_constant(name, number):
    return node("Constant", "", name, value=numpy_helper.from_array(np.float32(number)))


def gelu_erf(_):
    """nn.GELU() of the TorchScript exporter."""
    return model([scalar_constant("root", 1.4142135381698608), scalar_constant("one", 1), scalar_constant("half", 0.5),
                  node("Div", "x root", "d"), node("Erf", "d", "e"), node("Add", "e one", "p"), node("Mul", "x p", "m"),
                  node("Mul", "m half", "y")])


def gelu_tanh(_):
    """nn.GELU("tanh") of the TorchScript exporter."""
    return model([scalar_constant("c", 0.044715), scalar_constant("r", 0.7978845834732056), scalar_constant("one", 1),
                  scalar_constant("half", 0.5), node("Mul", "x x", "x2"), node("Mul", "x x2", "x3"),
                  node("Mul", "c x3", "c3"), node("Add", "x c3", "s"), node("Mul", "s r", "u"), node("Tanh", "u", "t"),
                  node("Add", "one t", "p"), node("Mul", "x p", "m"), node("Mul", "half m", "y")])


def gelu_new(_):
    """GPT-2's."""
    return model([scalar_constant("c", 0.044715), scalar_constant("r", 0.7978845834732056), scalar_constant("one", 1),
                  scalar_constant("half", 0.5), scalar_constant("three", 3), node("Mul", "x half", "h"),
                  node("Pow", "x three", "x3"), node("Mul", "x3 c", "c3"), node("Add", "x c3", "s"),
                  node("Mul", "s r", "u"), node("Tanh", "u", "t"), node("Add", "t one", "p"), node("Mul", "h p", "y")])


def silu(_):
    return model([node("Sigmoid", "x", "s"), node("Mul", "x s", "y")])


# --- Shapes ----------------------------------------------------------------------------------------


def softmax_13(_):
    return model([node("Softmax", "x", "1"), node("Softmax", "1", "y", axis=1)], inputs=BATCH_3D())


def softmax_12(_):
    return model([node("Softmax", "x", "1"), node("Softmax", "1", "y", axis=2)], inputs=BATCH_3D(), opset=12)


def flatten(_):
    return model([node("Flatten", "x", "1"), node("Flatten", "x", "2", axis=0), node("Flatten", "x", "3", axis=-1)],
                 inputs=[value("x", [2, 3, 4])], outputs=[value("1", None), value("2", None), value("3", None)])


def flatten_dynamic(_):
    return model([node("Flatten", "x", "y")], inputs=[value("x", ["batch", 1, 8, 8])])


def reshape(_):
    constants = tensors(a=np.int64([-1, 4]), b=np.int64([0, 2, -1]), c=np.int64([-1]))
    return model([node("Reshape", "x a", "1"), node("Reshape", "1 b", "2"), node("Reshape", "2 c", "y")], constants,
                 BATCH_3D())


def transpose(_):
    return model([node("Transpose", "x", "1"), node("Transpose", "1", "y", perm=[2, 0, 1])], inputs=[value("x", [2, 3, 4])])


# --- Parts, types and reductions ---------------------------------------------------------------------


def outputs(names):
    return [value(name, None) for name in names.split()]


def parts(_):
    """Backwards, with a step, and to the very beginning."""
    constants = tensors(start=np.int64([3, -1]), end=np.int64([0, -99]), axes=np.int64([2, 1]), steps=np.int64([-2, -1]),
                        zero=np.int64([0]), three=np.int64([3]), last=np.int64([2]), sizes=np.int64([1, 3]), picks=np.int64([3, -4, 3]))
    return model([node("Slice", "x start end axes steps", "a", "/slice"), node("Slice", "x zero three last", "b"),
                  node("Split", "x sizes", "c d", "/split", axis=2), node("Concat", "d c a", "e", "/concat", axis=-1),
                  node("Gather", "e picks", "f", "/gather", axis=2)], constants, BATCH_3D(), outputs("b e f"))


def casts(_):
    """A Cast to a type that is only stored rounds; signs are a matter of reading."""
    inputs = BATCH_3D() + [value("u", [4], TensorProto.UINT8), value("i", [4], TensorProto.INT8)]
    return model([node("Cast", "x", "h", "/half", to=TensorProto.FLOAT16), node("Cast", "h", "f", to=FLOAT),
                  node("Cast", "x", "b", to=TensorProto.BFLOAT16), node("Cast", "b", "g", to=FLOAT), node("Add", "f g", "y"),
                  node("Cast", "u", "w", "/widen", to=TensorProto.INT32), node("Cast", "x", "n", to=TensorProto.UINT16),
                  node("Cast", "i", "v", "/reread", to=TensorProto.UINT8), node("Max", "u v", "m")],
                 inputs=inputs, outputs=outputs("y w n m"))


def kinds(_):
    """Equal constants of signed and of unsigned integers."""
    inputs = [value("u", [4], TensorProto.UINT8), value("i", [4], TensorProto.INT8), value("j", [4], TensorProto.INT8)]
    constants = tensors(a=np.uint8(2), b=np.int8(2))
    return model([node("Max", "u a", "m"), node("Max", "i b", "n"), node("Div", "u a", "p"), node("Div", "i b", "q"),
                  node("Neg", "j", "r"), node("Abs", "j", "s"), node("Greater", "u a", "t"), node("Not", "t", "f")],
                 constants, inputs, outputs("m n p q r s f"))


def log_softmax(_):
    return model([node("LogSoftmax", "x", "1", "/log", axis=1), node("LogSoftmax", "1", "y")], inputs=BATCH_3D())


def clip(_):
    constants = tensors(low=np.float32(-1), high=np.float32(2))
    return model([node("Clip", "x low high", "1", "/clip"), node("Clip", "1 low", "2"), node("Clip", "2 - high", "3"),
                  node("HardSigmoid", "3", "4"), node("HardSwish", "4", "y")], constants, BATCH_3D())


def reductions(_):
    """One over the batch, whose size is the sum of as many ones."""
    constants = tensors(one=np.int64([1]), two=np.int64([1, 2]))
    return model([node("ReduceSum", "x one", "a", "/sum"), node("ReduceSum", "a two", "b", keepdims=0),
                  node("ReduceMean", "x", "c", "/mean", axes=[-1]), node("ReduceMean", "x", "d", axes=[1, 2], keepdims=0),
                  node("ReduceMean", "x", "e", "/batch", axes=[0]), node("Reciprocal", "c", "f")],
                 constants, BATCH_3D(), outputs("b d e f"))


def triangles(_):
    constants = tensors(k=np.int64(-1), far=np.int64(9))
    return model([node("Trilu", "x k", "1", "/triu"), node("Trilu", "1", "2", "/tril", upper=0), node("Trilu", "2 far", "y")],
                 constants, [value("x", ["batch", 3, 4])])


def losses(_):
    """With a dynamic batch."""
    inputs = [value("x", ["batch", 5, 2]), value("t", ["batch", 2], TensorProto.INT64)]
    return model([node("SoftmaxCrossEntropyLoss", "x t w", "a l", "/loss", ignore_index=1),
                  node("NegativeLogLikelihoodLoss", "l t", "b", reduction="none")], tensors(w=weights(5)), inputs, outputs("a b"))


def powers(_):
    """Computed in floats."""
    inputs = BATCH_3D() + [value("i", [4], TensorProto.INT64)]
    constants = tensors(e=np.int64([2, 3, 4, 5]))
    return model([node("Pow", "x e", "y"), node("Pow", "i e", "z"), node("Mean", "x y x", "m")], constants, inputs, outputs("m z"))


def masks(_):
    """A mask of a dynamic batch."""
    return model([node("Dropout", "x", "y mask"), node("Where", "mask y x", "z")], outputs=outputs("z mask"))


# --- Constants, names and types --------------------------------------------------------------------


def constants(_):
    """Every form of Constant."""
    dense = numpy_helper.from_array(weights(4))
    return model([node("Constant", "", "a", value=dense), node("Constant", "", "b", value_float=2.0),
                  node("Constant", "", "c", value_floats=[1.0, 2.0, 3.0, 4.0]), node("Constant", "", "d", value_ints=[65, -1, 1]),
                  node("Constant", "", "e", value_int=2), node("Add", "x a", "1"), node("Mul", "1 b", "2"),
                  node("Mul", "2 c", "3"), node("Pow", "3 e", "4"), node("Reshape", "4 d", "5"),
                  node("Constant", "", "f", value=numpy_helper.from_array(weights(65, 1, 1))), node("Add", "5 f", "y")],
                 inputs=[value("x", [65, 4])])


def identities(_):
    """The exporter merged two equal biases; a value passes through, too."""
    return model([node("Identity", "a.bias", "b.bias"), node("Add", "x a.bias", "1"), node("Identity", "1", "2"),
                  node("Add", "2 b.bias", "3"), node("Identity", "3", "y")], tensors(a__bias=weights(4)))


def shared(_):
    return model([node("Gemm", "x fc.weight fc.bias", "1", "/fc/Gemm"), node("Gemm", "1 fc.weight fc.bias", "y", "/fc_1/Gemm")],
                 tensors(fc__weight=weights(4, 4), fc__bias=weights(4)))


def frozen(_):
    """Means and deviations of the data are no weights."""
    return model([node("Sub", "x mean", "1"), node("Div", "1 deviation", "2"), node("Mul", "2 scale", "y")],
                 tensors(mean=weights(4), deviation=weights(4), scale=weights(4)))


def names(_):
    """Anonymous weights are named after the module; other names stay."""
    arrays = [numpy_helper.from_array(weights(4, 4), n) for n in ("onnx::MatMul_1", "val_2", "7", "val_3")]
    last = scoped(node("MatMul", "4 val_3", "y", "n"), "['', 'network', 'network.3', 'linear']")
    return model([node("MatMul", "x onnx::MatMul_1", "1", "/layers/layers.0/fc/MatMul"),
                  node("MatMul", "1 val_2", "2", "node_matmul"), node("MatMul", "2 7", "3"), node("Add", "3 forward", "4"),
                  last], arrays + tensors(forward=weights(4)))


def odd_name(_):
    result = model([node("Add", "x b", "y", "weird \x01 name")])
    result.graph.initializer.append(numpy_helper.from_array(weights(4), 'odd "näme"'))
    result.graph.node[0].input[1] = 'odd "näme"'
    return result


def microsoft(_):
    """What onnxruntime's optimiser makes of a feed-forward block."""
    def fused(op, inputs, output, **attributes):
        return node(op, inputs, output, domain="com.microsoft", **attributes)
    return model([fused("FusedMatMul", "x w", "m", transB=1, alpha=0.5), fused("BiasGelu", "m b", "g"),
                  fused("FastGelu", "g", "f"), fused("QuickGelu", "f", "q"), fused("Gelu", "q", "y")],
                 tensors(w=weights(4, 4), b=weights(4)), domains=["com.microsoft"])


def microsoft_norms(_):
    """A residual and a normalisation in one; the sum is used again."""
    def fused(op, inputs, outputs, **attributes):
        return node(op, inputs, outputs, domain="com.microsoft", **attributes)
    return model([fused("SkipLayerNormalization", "x x g b c", "l - - s", epsilon=1e-5),
                  fused("SkipSimplifiedLayerNormalization", "l s g", "r - - t", epsilon=1e-6),
                  node("SimplifiedLayerNormalization", "t g", "u"), node("Add", "r u", "y")],
                 tensors(g=weights(4), b=weights(4, offset=1), c=weights(4, offset=2)), domains=["com.microsoft"])


def scoped(proto, scopes):
    """Appends metadata_props (field 9), which Debian's onnx does not know."""
    entry = b"".join(bytes([tag, len(text)]) + text for tag, text in
                     ((0x0A, b"pkg.torch.onnx.name_scopes"), (0x12, scopes.encode())))
    proto.MergeFromString(bytes([0x4A, len(entry)]) + entry)
    return proto


def typed(kind, array, field, numbers):
    tensor = TensorProto(name="w", data_type=kind, dims=array.shape)
    getattr(tensor, field).extend(numbers)
    return model([node("Gemm", "x w", "y", transB=1)], [tensor])


def float_data(_):
    return typed(FLOAT, weights(3, 4), "float_data", weights(12).tolist())


def double_data(_):
    return typed(TensorProto.DOUBLE, weights(3, 4), "double_data", weights(12).tolist())


def float16_data(_):
    return typed(TensorProto.FLOAT16, weights(3, 4), "int32_data", weights(12).astype(np.float16).view(np.uint16).tolist())


def bfloat16_raw(_):
    tensor = TensorProto(name="w", data_type=TensorProto.BFLOAT16, dims=(3, 4))
    tensor.raw_data = (weights(12).view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return model([node("Gemm", "x w", "y", transB=1)], [tensor])


def double_input(_):
    return model([node("Gemm", "x w", "y", transB=1)], tensors(w=weights(3, 4).astype(np.float64)),
                 [value("x", ["batch", 4], TensorProto.DOUBLE)])


def unsorted(_):
    return model([node("Relu", "m", "y"), node("MatMul", "x w", "m")], tensors(w=weights(4, 3)))


# --- External data -----------------------------------------------------------------------------------


def external_tensor(name, shape, location, offset=0, length=None, kind=FLOAT):
    tensor = TensorProto(name=name, data_type=kind, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "offset": str(offset)}
    if length is not None:
        entries["length"] = str(length)
    for key, text in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return tensor


def external(folder):
    with open(os.path.join(folder, "external.onnx.data"), "wb") as file:
        file.write(b"\0" * 16 + weights(3, 4).tobytes())
    return model([node("Gemm", "x fc.weight fc.bias", "y", "/fc/Gemm", transB=1)],
                 [external_tensor("fc.weight", (3, 4), "external.onnx.data", 16, 48)] + tensors(fc__bias=weights(3)))


def external_double(folder):
    with open(os.path.join(folder, "double.bin"), "wb") as file:
        file.write(weights(3, 4).astype(np.float64).tobytes())
    return model([node("Gemm", "x w", "y", transB=1)],
                 [external_tensor("w", (3, 4), "double.bin", kind=TensorProto.DOUBLE)])


# --- Normalisation -----------------------------------------------------------------------------------


def layer_norm(_):
    """As PyTorch exports it, with outputs that nobody uses."""
    return model([node("LayerNormalization", "x n.weight n.bias", "y mean rest", "/n", axis=-1, epsilon=1e-5)],
                 tensors(n__weight=weights(4), n__bias=weights(4)))


def layer_norm_moments(_):
    return model([node("LayerNormalization", "x s", "n m r", "/n", axis=1), node("Add", "m r", "y")],
                 tensors(s=weights(2, 4)), BATCH_3D())


def layer_norm_wide(_):
    """A scale that differs between the tokens that are normalised one by one."""
    return model([node("LayerNormalization", "x s b", "y", "/n")], tensors(s=weights(2, 4), b=weights(4)), BATCH_3D())


def layer_norm_narrow(_):
    return model([node("LayerNormalization", "x s", "y", "/n", axis=1)], tensors(s=weights(1, 2, 1)), BATCH_3D())


def rms_norm(_):
    return model([node("RMSNormalization", "x n.weight", "y", "/n", epsilon=1e-6)], tensors(n__weight=weights(4)), opset=23)


def external_files(folder):
    """Several tensors to a file, several files, odd offsets, four types."""
    os.makedirs(os.path.join(folder, "parts"), exist_ok=True)
    w = weights(12)
    bfloat16 = (w.view(np.uint32) >> 16).astype(np.uint16)
    parts = {"parts/a.bin": b"\0" * 3 + w.tobytes() + b"\0" + w.astype(np.float16).tobytes(),
             "parts/b.bin": bfloat16.tobytes() + b"\0" * 7 + w.astype(np.float64).tobytes()}
    for name, data in parts.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    return model([node("MatMul", "x w1", "1"), node("MatMul", "1 w2", "2"), node("MatMul", "2 w3", "3"),
                  node("MatMul", "3 w4", "y")],
                 [external_tensor("w1", (4, 3), "parts/a.bin", 3, 48),
                  external_tensor("w2", (3, 4), "parts/a.bin", 52, 24, TensorProto.FLOAT16),
                  external_tensor("w3", (4, 3), "parts/b.bin", 0, 24, TensorProto.BFLOAT16),
                  external_tensor("w4", (3, 4), "./parts/../parts/b.bin", 31, 96, TensorProto.DOUBLE)])
