# ===- strategy_cases.py - Tensor and Megatron equal the dense net ------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The same reference for every rank count: the dense net. Biases and outputs are replicated in part."""
import itertools

import models
from harness import check_training, prepared, strategy_flags
from reference import Network

SHAPES = {"square": [64] * 5, "rect": [24, 96, 32, 64, 10]}


def case(strategy, ranks, activation, shape, depth, bias):
    widths = SHAPES[shape][:depth] + [SHAPES[shape][-1]]
    network = Network(widths, activation, bias, ranks)
    loss = ("mse", "cross-entropy", "bce")[(depth + ranks) % 3]

    def run(options):
        with prepared(options, network, loss) as (scratch, parameters, x, t):
            flags = strategy_flags(network, strategy)
            for init in ([], ["--init", "from-file=parameters.safetensors"]):
                if not init:  # the model's own weights, sliced
                    models.save_mlp(scratch.path("model.onnx"), network, parameters)
                check_training(scratch, network, parameters, x, t, loss, flags + init)

    name = f"strategy/{strategy}-p{ranks}-{activation}-{shape}-depth{depth}-{'bias' if bias else 'nobias'}"
    return name, run


def cases(options):
    turn = itertools.count()
    ranks = (2,) if options.sanitize else (1, 2, 4, 8)
    for strategy, p, shape, depth in itertools.product(("tensor", "megatron"), ranks, SHAPES, (1, 2, 3, 4)):
        if shape == "rect" and p > 2 and depth == 1:
            continue  # the output width 10 does not divide by p
        n = next(turn)
        yield case(strategy, p, ("relu", "tanh", "gelu", "sigmoid", "identity")[n % 5], shape, depth, n % 3 != 2)
