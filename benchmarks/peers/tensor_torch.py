# ===- tensor_torch.py - Tensor parallel and dense nets in PyTorch ---------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The dense net in PyTorch: divided over processes by DTensor or by hand-written layers, or whole in one process that
has the cores of all. Pairs of layers are divided by columns, then by rows; the modes with -compile run under
torch.compile."""
import sys

import torch

import torch_layers
import torch_ranks

MODES = ("manual", "manual-compile", "dtensor", "dtensor-compile", "dense", "dense-compile")
ALONE = ("dense", "dense-compile")


def manual(options, rank, parameters):
    depth, layers = options.layers + 2, []
    for i in range(1, depth + 1):
        kind = torch_layers.ColumnLinear if i % 2 else torch_layers.RowLinear
        activation = options.activation if i < depth else None
        layers.append(kind(parameters[f"fc{i}.weight"], parameters[f"fc{i}.bias"], rank, options.ranks, activation))
    return torch.nn.Sequential(*layers)


def dense(options, parameters):
    """Layers 0, 2, 4, … of the result have the parameters."""
    activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[options.activation]
    layers = []
    for i in range(1, options.layers + 3):
        weight = torch.tensor(parameters[f"fc{i}.weight"])
        layer = torch.nn.Linear(*weight.t().shape, device="meta")
        layer.weight, layer.bias = torch.nn.Parameter(weight), torch_layers.parameter(parameters[f"fc{i}.bias"])
        layers += [layer, activation()]
    return torch.nn.Sequential(*layers[:-1])


def divide(model, ranks):
    """Divides the layers of `dense` by columns and by rows in turn."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
    styles = (ColwiseParallel, RowwiseParallel)
    plan = {str(at): styles[at // 2 % 2]() for at in range(0, len(model), 2)}
    return parallelize_module(model, init_device_mesh("cpu", (ranks,)), plan)


def make_step(options, rank, parameters, x, t):
    kind = options.mode.removesuffix("-compile")
    model = manual(options, rank, parameters) if kind == "manual" else dense(options, parameters)
    if kind == "dtensor":
        model = divide(model, options.ranks)
    return torch_layers.make_step(model, x, t, options.learning_rate, options.mode != kind)


if __name__ == "__main__":
    sys.exit(torch_ranks.main(__doc__, MODES, ("tensor", "dense"), make_step, ALONE))
