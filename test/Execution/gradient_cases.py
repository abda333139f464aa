# ===- gradient_cases.py - Every op against central differences ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""In f64 with reference GEMMs: the loss at θ ± εd, through the tools, against the dumped gradient along d.

Parameters and steps are multiples of powers of two that f32 represents, so the files cost no accuracy. Every operator
of which `phantom-translate --list-onnx-operators` says that it has a gradient must be on the way from a parameter to the
loss in one of the cases.
"""
import re

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import models
import safetensors
from harness import Scratch, check, check_close, losses, steps
from models import Graph

BATCH, N_IN, WIDTH, N_OUT = 6, 5, 8, 4
MICROSOFT = "com.microsoft"
# Operators that are newer than the opset of the other cases.
OPSETS = {"gelu-op": models.OPSET_GELU, "gelu-op-tanh": models.OPSET_GELU, "rms_normalization": 23, "swish": 24}
# Expand does not stretch what has a dynamic batch.
FIXED_BATCH = ("expand",)
TWO_OPERANDS = ("add", "sub", "mul", "div", "matmul-batched", "pow", "max", "min", "where", "sum", "mean",
                "skip_layer_normalization", "skip_simplified_layer_normalization")
EPSILON = 2.0**-13


def _unary(op, **attributes):
    return lambda graph, a, b: graph.add(op, a, **attributes)


def _binary(op, *constant):
    return lambda graph, a, b: graph.add(op, a, *([graph.constant(c) for c in constant] or [b]))


def _divide(graph, a, b):
    """Away from zero."""
    return graph.add("Div", a, graph.add("Add", graph.add("Mul", b, b), graph.constant(1.0)))


def _shape(graph, *dimensions):
    return graph.constant(dimensions, np.int64)


def _transpose(graph, a, b):
    cube = graph.add("Reshape", a, _shape(graph, -1, 2, WIDTH // 2))
    scaled = graph.add("Mul", graph.add("Transpose", cube, perm=[0, 2, 1]), graph.constant([1.0, -2.0]))
    return graph.add("Flatten", scaled, axis=1)


def _batched_matmul(graph, a, b):
    left = graph.add("Reshape", a, _shape(graph, -1, 2, WIDTH // 2))
    right = graph.add("Reshape", b, _shape(graph, -1, WIDTH // 2, 2))
    product = graph.add("Reshape", graph.add("MatMul", left, right), _shape(graph, -1, 4))
    return graph.add("MatMul", product, graph.tensor("widen.weight", _grid(np.random.default_rng(9), (4, WIDTH))))


def _matmul_3d(graph, a, b):
    """A linear layer on [B, 2, WIDTH / 2]."""
    cube = graph.add("Reshape", a, _shape(graph, -1, 2, WIDTH // 2))
    weight = graph.tensor("deep.weight", _grid(np.random.default_rng(8), (WIDTH // 2, WIDTH // 2)))
    return graph.add("Reshape", graph.add("Add", graph.tensor("deep.bias", _grid(np.random.default_rng(7), (WIDTH // 2,))),
                                          graph.add("MatMul", cube, weight)), _shape(graph, -1, WIDTH))


def _gemm_scaled(graph, a, b):
    weight = graph.tensor("scaled.weight", _grid(np.random.default_rng(6), (WIDTH, WIDTH)))
    bias = graph.tensor("scaled.bias", _grid(np.random.default_rng(5), (WIDTH,)))
    return graph.add("Gemm", a, weight, bias, alpha=0.5, beta=2.0)


def _positive(graph, a):
    """At least a half."""
    return graph.add("Add", graph.add("Mul", a, a), graph.constant(0.5))


def _of_positive(op):
    return lambda graph, a, b: graph.add(op, _positive(graph, a))


def _pow(graph, a, b):
    """Both operands are trained."""
    return graph.add("Pow", _positive(graph, a), b)


def _where(graph, a, b):
    return graph.add("Where", graph.add("Less", a, b), graph.add("Mul", a, a), b)


def _slice(graph, a, b):
    """Every second column backwards, next to the first four."""
    axes = _shape(graph, 1)
    back = graph.add("Slice", a, _shape(graph, -1), _shape(graph, 0), axes, _shape(graph, -2))
    return graph.add("Concat", back, graph.add("Slice", a, _shape(graph, 0), _shape(graph, 4), axes), axis=1)


def _gather(graph, a, b):
    """Columns of a, some twice, one from the end."""
    return graph.add("Gather", a, _shape(graph, 0, 2, 2, -1, 5, 1, 0, 0), axis=1)


def _split(graph, a, b):
    """Uneven parts in another order, one of them scaled."""
    first, rest = f"{a}_first", f"{a}_rest"
    graph.nodes.append(helper.make_node("Split", [a, _shape(graph, 3, WIDTH - 3)], [first, rest], axis=1))
    return graph.add("Concat", graph.add("Mul", rest, graph.constant(2.0)), first, axis=1)


def _expand(graph, a, b):
    """Each element four times, with weights."""
    column = graph.add("Reshape", graph.add("Slice", a, _shape(graph, 0), _shape(graph, 2), _shape(graph, 1)),
                       _shape(graph, -1, 2, 1))
    wide = graph.add("Expand", column, _shape(graph, 1, 2, 4))
    weights = graph.constant(np.linspace(-1, 1, WIDTH).reshape(2, 4))
    return graph.add("Flatten", graph.add("Mul", wide, weights), axis=1)


def _expand_parameter(graph, a, b):
    """A trained row for each of the batch."""
    row = graph.tensor("row.weight", _grid(np.random.default_rng(4), (2, 1)))
    wide = graph.add("Reshape", graph.add("Expand", row, _shape(graph, 2, WIDTH // 2)), _shape(graph, 1, WIDTH))
    return graph.add("Mul", a, wide)


def _gather_table(graph, a, b):
    """Rows of a trained table, some of them several times, in two dimensions of indices."""
    table = graph.tensor("table.weight", _grid(np.random.default_rng(2), (5, WIDTH // 2)))
    rows = graph.add("Gather", table, graph.constant([[3, -1], [0, 3]], np.int64))
    flat = graph.add("Reshape", graph.add("ReduceMean", rows, axes=[0], keepdims=0), _shape(graph, 1, WIDTH))
    return graph.add("Mul", a, flat)


def _squeeze(graph, a, b):
    row = graph.add("Unsqueeze", a, _shape(graph, 1, 3))
    return graph.add("Squeeze", graph.add("Mul", row, graph.constant([2.0])), _shape(graph, 1, -1))


def _trilu(graph, a, b):
    square = graph.add("Reshape", a, _shape(graph, -1, 2, WIDTH // 2))
    return graph.add("Flatten", graph.add("Trilu", square, graph.constant(1, np.int64), upper=0), axis=1)


def _cast(graph, a, b):
    wide = graph.add("Cast", a, to=TensorProto.DOUBLE)
    return graph.add("Cast", graph.add("Mul", wide, wide), to=TensorProto.FLOAT)


def _cast_like(graph, a, b):
    wide = graph.add("CastLike", a, graph.constant(0, np.float64))
    return graph.add("CastLike", graph.add("Mul", wide, wide), a)


def _normalization(op, shift=False, **attributes):

    def build(graph, a, b):
        rng = np.random.default_rng(1)
        operands = [graph.tensor("norm.weight", _grid(rng, (WIDTH,)))]
        if shift:
            operands.append(graph.tensor("norm.bias", _grid(rng, (WIDTH,))))
        return graph.add(op, a, *operands, axis=-1, epsilon=2.0**-10, **attributes)

    return build


def _skip_normalization(op):
    """(x, skip, scale, bias of the sum), and for the one that has it a shift before the bias."""

    def build(graph, a, b):
        rng = np.random.default_rng(1)
        names = ["scale"] + ["shift"] * (op == "SkipLayerNormalization") + ["bias"]
        operands = [graph.tensor(f"norm.{name}", _grid(rng, (WIDTH,))) for name in names]
        return graph.add(op, a, b, *operands, epsilon=2.0**-10, domain=MICROSOFT)

    return build


def _class_loss(op):
    """The losses of the rows, each with its class, scale a."""

    def build(graph, a, b):
        logits = graph.add("LogSoftmax", a, axis=1) if op == "NegativeLogLikelihoodLoss" else a
        # 0, 3, 4 or 7, by the signs of the row's first two inputs.
        signs = [graph.add("Greater", graph.add("Gather", "x", graph.constant(i, np.int64), axis=1), graph.constant(0))
                 for i in (0, 1)]
        parts = [graph.add("Mul", graph.add("Cast", sign, to=TensorProto.INT64), graph.constant(value, np.int64))
                 for sign, value in zip(signs, (3, 4))]
        classes = graph.add("Add", *parts)
        weights = graph.constant(np.linspace(0.5, 2, WIDTH))
        rows = graph.add(op, logits, classes, weights, reduction="none")
        return graph.add("Mul", a, graph.add("Unsqueeze", rows, _shape(graph, 1)))

    return build


def _fused_matmul(graph, a, b):
    weight = graph.tensor("fused.weight", _grid(np.random.default_rng(6), (WIDTH, WIDTH)))
    return graph.add("FusedMatMul", a, weight, transB=1, alpha=0.5, domain=MICROSOFT)


def _bias_gelu(graph, a, b):
    bias = graph.tensor("gelu.bias", _grid(np.random.default_rng(3), (WIDTH,)))
    return graph.add("BiasGelu", a, bias, domain=MICROSOFT)


def _reduce(op):

    def build(graph, a, b):
        cube = graph.add("Reshape", a, _shape(graph, -1, 2, WIDTH // 2))
        if op == "ReduceMean":  # an attribute until opset 18
            total = graph.add(op, cube, axes=[1], keepdims=1)
        else:
            total = graph.add(op, cube, _shape(graph, 1), keepdims=1)
        return graph.add("Flatten", graph.add("Mul", cube, total), axis=1)

    return build


OPS = {
    "sum": _binary("Sum"),
    "mean": _binary("Mean"),
    "split": _split,
    "expand": _expand,
    "expand-parameter": _expand_parameter,
    "gather-table": _gather_table,
    "squeeze": _squeeze,
    "trilu": _trilu,
    "cast": _cast,
    "cast-like": _cast_like,
    "swish": _unary("Swish", alpha=1.5),
    "layer_normalization": _normalization("LayerNormalization", shift=True),
    "rms_normalization": _normalization("RMSNormalization"),
    "simplified_layer_normalization": _normalization("SimplifiedLayerNormalization"),
    "skip_layer_normalization": _skip_normalization("SkipLayerNormalization"),
    "skip_simplified_layer_normalization": _skip_normalization("SkipSimplifiedLayerNormalization"),
    "negative_log_likelihood": _class_loss("NegativeLogLikelihoodLoss"),
    "softmax_cross_entropy": _class_loss("SoftmaxCrossEntropyLoss"),
    "fused_matmul": _fused_matmul,
    "bias_gelu": _bias_gelu,
    "fast_gelu": _unary("FastGelu", domain=MICROSOFT),
    "microsoft_gelu": _unary("Gelu", domain=MICROSOFT),
    "quick_gelu": _unary("QuickGelu", domain=MICROSOFT),
    "log_softmax": _unary("LogSoftmax", axis=-1),
    "softplus": _unary("Softplus"),
    "hard_swish": _unary("HardSwish"),
    "hard_sigmoid": _unary("HardSigmoid"),
    "exp": _unary("Exp"),
    "neg": _unary("Neg"),
    "abs": _unary("Abs"),
    "log": _of_positive("Log"),
    "sqrt": _of_positive("Sqrt"),
    "reciprocal": _of_positive("Reciprocal"),
    "pow": _pow,
    "pow-constant": lambda graph, a, b: graph.add("Pow", _positive(graph, a), graph.constant(2.5)),
    "clip": lambda graph, a, b: graph.add("Clip", a, graph.constant(-0.5), graph.constant(0.75)),
    "max": _binary("Max"),
    "min": _binary("Min"),
    "where": _where,
    "slice-concat": _slice,
    "gather": _gather,
    "reduce_sum": _reduce("ReduceSum"),
    "reduce_mean": _reduce("ReduceMean"),
    **{name: (lambda graph, a, b, kind=name: models.activation(graph, kind, a))
       for name in ("identity", "relu", "leaky_relu", "elu", "tanh", "sigmoid", "gelu", "gelu_tanh", "silu")},
    "leaky_relu-alpha": _unary("LeakyRelu", alpha=0.3),
    "elu-alpha": _unary("Elu", alpha=0.5),
    "gelu-op": _unary("Gelu"),
    "gelu-op-tanh": _unary("Gelu", approximate="tanh"),
    "erf": _unary("Erf"),
    "softmax": _unary("Softmax", axis=-1),
    "flatten": _unary("Flatten", axis=1),
    "dropout-none": _binary("Dropout", 0.0),
    "add": _binary("Add"),
    "sub": _binary("Sub"),
    "mul": _binary("Mul"),
    "div": _divide,
    "add-scalar": _binary("Add", 0.5),
    "mul-row": _binary("Mul", np.linspace(-1, 1, WIDTH)),
    "transpose": _transpose,
    "matmul-batched": _batched_matmul,
    "linear-3d": _matmul_3d,
    "gemm-alpha-beta": _gemm_scaled,
}


def _grid(rng, shape):
    """Values in ±1 on a grid of 2^-10."""
    return (rng.integers(-1024, 1025, shape) / 1024).astype(np.float32)


def build(op):
    """x -> a, b = two linear layers -> op(a, b) -> a linear layer."""
    graph = Graph(OPSETS.get(op, models.OPSET))
    rng = np.random.default_rng(11)
    layer = lambda name, n_in, n_out: (graph.tensor(f"{name}.weight", _grid(rng, (n_out, n_in))),
                                       graph.tensor(f"{name}.bias", _grid(rng, (n_out,))))
    a = graph.add("Gemm", "x", *layer("left", N_IN, WIDTH), transB=1, name="/left/Gemm")
    b = None
    if op in TWO_OPERANDS:
        b = graph.add("Gemm", "x", *layer("right", N_IN, WIDTH), transB=1, name="/right/Gemm")
    hidden = OPS[op](graph, a, b)
    graph.add("Gemm", hidden, *layer("head", WIDTH, N_OUT), transB=1, name="/head/Gemm", result="y")
    return graph


def trained_through(graph):
    """(domain, operator) of the nodes that a parameter's value goes through."""
    reached, found = {tensor.name for tensor in graph.initializers}, set()
    for node in graph.nodes:
        if reached & set(node.input):
            found.add((node.domain, node.op_type))
            reached |= set(node.output)
    return found


def central_differences(op, loss):

    def run(options):
        rng = np.random.default_rng(3)
        with Scratch(options) as scratch:
            graph, batch = build(op), BATCH if op in FIXED_BATCH else "batch"
            graph.save(scratch.path("model.onnx"), {"x": [batch, N_IN]}, {"y": [batch, N_OUT]})
            parameters = {t.name: numpy_helper.to_array(t) for t in graph.initializers}
            scratch.save("x.npy", rng.standard_normal((BATCH, N_IN)).astype(np.float32))
            targets = rng.integers(0, N_OUT, BATCH) if loss == "cross-entropy" else rng.random((BATCH, N_OUT))
            scratch.save("t.npy", targets if loss == "cross-entropy" else targets.astype(np.float32))
            direction = {n: rng.integers(-1, 2, v.shape).astype(np.float32) for n, v in parameters.items()}

            def evaluate(factor, *more):
                moved = {n: v + np.float32(factor) * direction[n] for n, v in parameters.items()}
                safetensors.save(scratch.path("parameters.safetensors"), moved)
                scratch.run("train", "model.onnx", "--strategy", "tensor", "--ranks", 1, "--init",
                            "from-file=parameters.safetensors", "--inputs", "x.npy", "--targets", "t.npy", "--loss", loss,
                            "--optimizer", "sgd", "--learning-rate", 0, "--batch-size", BATCH, "--steps", 1,
                            "--precision", "f64", "--gemm", "reference", "--log", "log.jsonl", *more)
                return losses(scratch.log())[0]

            evaluate(0, "--dump-gradients", "g.safetensors")
            norm = steps(scratch.log())[0]["grad_norm"]
            gradients = safetensors.load(scratch.path("g.safetensors"))
            check(sorted(gradients) == sorted(parameters), f"gradients of {sorted(gradients)}")
            numeric = (evaluate(EPSILON) - evaluate(-EPSILON)) / (2 * EPSILON)
            analytic = sum(np.sum(gradients[n].astype(np.float64) * direction[n]) for n in parameters)
            scale = sum(np.sum(np.abs(gradients[n] * direction[n])) for n in parameters)
            check(scale > 0, "the gradients are zero")
            check(abs(numeric - analytic) <= 1e-6 * scale, f"derivative {analytic:.9g}, central difference {numeric:.9g}")
            expected = np.sqrt(sum(np.sum(g.astype(np.float64)**2) for g in gradients.values()))
            check_close("grad_norm", norm, expected, tolerance=1e-6)

    return run


def every_operator(options):
    """The table of operators names none with a gradient that no case checks."""
    with Scratch(options) as scratch:
        table = scratch.tool("phantom-translate", "--list-onnx-operators").stdout
    rows = re.findall(r"^\| (\w+) \| ([\w.]*) \| [^|]* \| [^|]* \| ([^|]*) \|$", table, re.MULTILINE)
    listed = {(domain, name) for name, domain, gradient in rows if gradient.startswith("yes")}
    check(len(listed) > len(OPS) / 2, f"the table has {len(listed)} operators with a gradient")
    missing = listed - set().union(*(trained_through(build(op)) for op in OPS))
    check(not missing, f"no case for {sorted(missing)}")


def cases(options):
    yield "gradient/every-operator", every_operator
    for number, op in enumerate(OPS):
        loss = ("mse", "cross-entropy", "bce")[number % 3]
        yield f"gradient/{op}-{loss}", central_differences(op, loss)
    for loss in ("mse", "cross-entropy", "bce"):
        yield f"gradient/loss-{loss}", central_differences("tanh", loss)
