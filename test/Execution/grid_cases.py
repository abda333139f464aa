# ===- grid_cases.py - Phantom nets of all kinds against NumPy ----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Outputs, every gradient and 20 SGD losses, p in {1, 2, 4, 8}, k in {0, 1, 4, m}, five activations, square and
rectangular layers, depth 1 to 4, with and without bias.

The default is every (p, k, activation, shape) and every (p, depth, bias, shape) at least once; --full is the product.
"""
import itertools

from harness import check_training, prepared, strategy_flags
from reference import Network

RANKS, GHOSTS, DEPTHS, BIASES = (1, 2, 4, 8), (0, 1, 4, "m"), (1, 2, 3, 4), (True, False)
ACTIVATIONS = ("relu", "tanh", "sigmoid", "identity", "gelu")
SHAPES = {"square": [64] * 5, "rect": [64, 96, 32, 64, 48]}
# Which layers are phantom: those between the first and the last, or all.
EDGES = {"default": [], "phantom": ["--first-layer", "phantom", "--last-layer", "phantom"]}


def phantom_layers(depth, edges):
    return frozenset(range(1, depth + 1) if edges == "phantom" else range(2, depth))


def case(ranks, ghosts, activation, shape, depth, bias, edges):
    widths = SHAPES[shape][:depth + 1]
    ghost_width = min(widths) // ranks if ghosts == "m" else ghosts
    network = Network(widths, activation, bias, ranks, ghost_width, phantom_layers(depth, edges))
    loss = ("mse", "cross-entropy", "bce")[(depth + ranks + len(activation)) % 3]

    def run(options):
        with prepared(options, network, loss, matmul=not bias) as (scratch, parameters, x, t):
            flags = strategy_flags(network, "phantom") + EDGES[edges] + ["--init", "from-file=parameters.safetensors"]
            check_training(scratch, network, parameters, x, t, loss, flags)

    name = f"grid/p{ranks}-k{ghosts}-{activation}-{shape}-depth{depth}-{'bias' if bias else 'nobias'}-{edges}"
    return name, run


def product():
    for values in itertools.product(RANKS, GHOSTS, ACTIVATIONS, SHAPES, DEPTHS, BIASES):
        edges = "default" if values[4] > 2 and values[5] else "phantom"
        yield (*values, edges)


def covering():
    turn = itertools.count()
    for ranks, ghosts, activation, shape in itertools.product(RANKS, GHOSTS, ACTIVATIONS, SHAPES):
        if ranks == 1 and ghosts != 1:
            continue  # a phantom layer at p = 1 is the dense layer, whatever k
        n = next(turn)
        yield ranks, ghosts, activation, shape, 3 + n % 2, n % 3 != 0, ("phantom", "default")[n // 2 % 2]
    for ranks, depth, bias, shape in itertools.product(RANKS, DEPTHS, BIASES, SHAPES):
        n = next(turn)
        yield ranks, (1, 4, "m", 0)[n % 4], ACTIVATIONS[n % 5], shape, depth, bias, "phantom"


def cases(options):
    chosen = list(dict.fromkeys(product() if options.full else covering()))
    if options.sanitize:
        chosen = [values for values in chosen if values[0] in (2, 4)][::8]
    for values in chosen:
        yield case(*values)
