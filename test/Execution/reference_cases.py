# ===- reference_cases.py - The NumPy reference itself ------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The hand-written backward against central differences, and the phantom net against its dense equivalent."""
import dataclasses

import numpy as np

from harness import check, check_close
from reference import ACTIVATIONS, LOSSES, Network, dense_equivalent, low_rank_start


def _central_differences(network, loss):
    rng = np.random.default_rng(1)
    parameters = network.random_parameters(rng)
    x = rng.standard_normal((5, network.widths[0]))
    t = rng.integers(0, network.widths[-1], 5) if loss == "cross-entropy" else rng.random((5, network.widths[-1]))
    _, gradients = network.loss_and_gradients(parameters, x, t, loss)
    for name, value in parameters.items():
        direction = rng.standard_normal(value.shape)
        if name.endswith("decompressor"):
            direction[np.arange(network.ranks), np.arange(network.ranks)] = 0
        at = lambda e: LOSSES[loss](network.forward({**parameters, name: value + e * direction}, x)[0], t)[0]
        check_close(f"derivative along {name}", np.sum(gradients[name] * direction), (at(1e-6) - at(-1e-6)) / 2e-6,
                    tolerance=1e-6)


def _dense_equivalent(network):
    rng = np.random.default_rng(2)
    parameters = network.random_parameters(rng)
    x = rng.standard_normal((5, network.widths[0]))
    dense, weights = dense_equivalent(network, parameters)
    expected = network.forward(parameters, x)[0]
    check_close("dense equivalent", dense.forward(weights, x)[0], expected, tolerance=1e-12)
    again = low_rank_start(network, weights)  # off-diagonal blocks of rank k are recovered exactly
    check_close("low-rank start", network.forward(again, x)[0], expected, tolerance=1e-9)
    full = dataclasses.replace(network, ghost_width=2)
    check(full.shapes().keys() == network.shapes().keys(), "names depend on the ghost width")


def cases(options):
    for activation in ACTIVATIONS:
        network = Network([8, 12, 8, 4], activation, True, 2, 2, frozenset([1, 2, 3]))
        for loss in LOSSES:
            yield f"reference/{activation}-{loss}", lambda _, n=network, l=loss: _central_differences(n, l)
    for ranks in (2, 4):
        network = Network([16, 16, 8, 8], "tanh", True, ranks, 1, frozenset([1, 2, 3]))
        yield f"reference/dense-p{ranks}", lambda _, n=network: _dense_equivalent(n)
