# ===- onnx_numpy.py - Evaluates ONNX models with NumPy -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The operators that Phantom imports, as the ONNX specification defines them, in f64."""
import math

import numpy as np
from onnx import AttributeProto, helper, numpy_helper

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _softmax_versions(x, opset, axis=None):
    if opset >= 13:
        return _softmax(x, -1 if axis is None else axis)
    rows = int(np.prod(x.shape[:1 if axis is None else axis]))
    return _softmax(x.reshape(rows, -1), 1).reshape(x.shape)


def _gemm(a, b, c=0.0, alpha=1.0, beta=1.0, transA=0, transB=0, broadcast=0):
    return alpha * (a.T if transA else a) @ (b.T if transB else b) + beta * c


def _gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return 0.5 * x * (1 + _erf(x / math.sqrt(2)))


def _reshape(x, shape, allowzero=0):
    return x.reshape([x.shape[i] if n == 0 and not allowzero else n for i, n in enumerate(shape.astype(int))])


def _flatten(x, axis=1):
    return x.reshape(int(np.prod(x.shape[:axis if axis >= 0 else axis + x.ndim])), -1)


_OPERATORS = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "MatMul": np.matmul, "Pow": np.power,
    "Sqrt": np.sqrt, "Tanh": np.tanh, "Erf": _erf, "Gemm": _gemm, "Gelu": _gelu, "Reshape": _reshape, "Flatten": _flatten,
    "Relu": lambda x: np.maximum(x, 0),
    "LeakyRelu": lambda x, alpha=0.01: np.where(x < 0, alpha * x, x),
    "Elu": lambda x, alpha=1.0: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Identity": lambda x: x,
    "Dropout": lambda x, *_, **__: x,  # outside training
    "Transpose": lambda x, perm=None: np.transpose(x, perm),
    "Concat": lambda *parts, axis: np.concatenate(parts, axis),
    "Split": lambda x, sizes, axis=0: np.split(x, np.cumsum(sizes.astype(int))[:-1], axis),
}


def _constant(node):
    attribute = node.attribute[0]
    if attribute.type == AttributeProto.TENSOR:
        return numpy_helper.to_array(attribute.t)
    return np.asarray(helper.get_attribute_value(attribute))


def _attributes(node):
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: v.decode() if isinstance(v, bytes) else v for name, v in values.items()}


def evaluate(model, inputs):
    """The model's outputs by name; its nodes may be in any order."""
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    values.update(inputs)
    values = {name: np.asarray(v, np.float64) for name, v in values.items()}
    pending = list(model.graph.node)
    while pending:
        node = next(n for n in pending if all(i == "" or i in values for i in n.input))
        pending.remove(node)
        operands = [values[i] for i in node.input if i]
        if node.op_type == "Constant":
            result = np.asarray(_constant(node), np.float64)
        elif node.op_type == "Softmax":
            result = _softmax_versions(*operands, opset, **_attributes(node))
        else:
            result = _OPERATORS[node.op_type](*operands, **_attributes(node))
        values.update(zip(node.output, result if node.op_type == "Split" else [result]))
    return {output.name: values[output.name] for output in model.graph.output}
