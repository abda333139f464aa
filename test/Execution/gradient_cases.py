# ===- gradient_cases.py - Every op against central differences ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""In f64 with reference GEMMs: the loss at θ ± εd, through the tools, against the dumped gradient along d.

Parameters and steps are multiples of powers of two that f32 represents, so the files cost no accuracy.
"""
import numpy as np
from onnx import numpy_helper

import models
import safetensors
from harness import Scratch, check, check_close, losses, steps
from models import Graph

BATCH, N_IN, WIDTH, N_OUT = 6, 5, 8, 4
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


def build(op, path):
    """x -> a, b = two linear layers -> op(a, b) -> a linear layer; returns the parameters."""
    graph = Graph(models.OPSET_GELU if op.startswith("gelu-op") else models.OPSET)
    rng = np.random.default_rng(11)
    layer = lambda name, n_in, n_out: (graph.tensor(f"{name}.weight", _grid(rng, (n_out, n_in))),
                                       graph.tensor(f"{name}.bias", _grid(rng, (n_out,))))
    a = graph.add("Gemm", "x", *layer("left", N_IN, WIDTH), transB=1, name="/left/Gemm")
    b = None
    if op in ("add", "sub", "mul", "div", "matmul-batched", "pow", "max", "min", "where"):
        b = graph.add("Gemm", "x", *layer("right", N_IN, WIDTH), transB=1, name="/right/Gemm")
    hidden = OPS[op](graph, a, b)
    graph.add("Gemm", hidden, *layer("head", WIDTH, N_OUT), transB=1, name="/head/Gemm", result="y")
    graph.save(path, {"x": ["batch", N_IN]}, {"y": ["batch", N_OUT]})
    return {t.name: numpy_helper.to_array(t) for t in graph.initializers}


def central_differences(op, loss):

    def run(options):
        rng = np.random.default_rng(3)
        with Scratch(options) as scratch:
            parameters = build(op, scratch.path("model.onnx"))
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


def cases(options):
    for number, op in enumerate(OPS):
        loss = ("mse", "cross-entropy", "bce")[number % 3]
        yield f"gradient/{op}-{loss}", central_differences(op, loss)
    for loss in ("mse", "cross-entropy", "bce"):
        yield f"gradient/loss-{loss}", central_differences("tanh", loss)
