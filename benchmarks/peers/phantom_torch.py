# ===- phantom_torch.py - Phantom layers in PyTorch ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Phantom layers as one hand-written autograd Function, with gloo between the processes; eagerly or under
torch.compile."""
import sys

import torch

import torch_layers
import torch_ranks
from torch_layers import ACTIVATIONS, exchange, parameter, world


def without_own(gathered, rank, k):
    """Rows of the other ranks' ghosts, [(p-1)·k, B] of [p·k, B]; a copy only where both sides have some."""
    before, after = gathered[:rank * k], gathered[(rank + 1) * k:]
    return torch.cat((before, after)) if len(before) and len(after) else before if len(before) else after


class PhantomFunction(torch.autograd.Function):
    """y = act(x·Lᵀ + Gᵀ·D + b), where G are the other ranks' ghosts; a rank's own ghosts are C·xᵀ."""

    @staticmethod
    def forward(ctx, x, local, compressor, decompressor, bias, place, activation):
        rank, ranks = place
        k = len(compressor)
        gathered = exchange.all_gather_into_tensor(compressor @ x.t(), ranks, world())
        z = torch.addmm(bias, x, local.t())
        ghosts = without_own(exchange.wait_tensor(gathered), rank, k)
        y = ACTIVATIONS[activation][0](z.addmm_(ghosts.t(), decompressor))
        ctx.save_for_backward(x, local, compressor, decompressor, ghosts, y)
        ctx.place, ctx.activation = place, activation
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, local, compressor, decompressor, ghosts, y = ctx.saved_tensors
        rank, ranks = ctx.place
        k = len(compressor)
        delta = ACTIVATIONS[ctx.activation][1](gradient, y)
        # A reduce-scatter whose own part is zero: only the others' parts travel.
        parts = [0 if other == rank else k for other in range(ranks)]
        received = exchange.all_to_all_single(decompressor @ delta.t(), parts, parts, world())
        local_gradient, bias_gradient = delta.t() @ x, delta.sum(0)
        decompressor_gradient, x_gradient = ghosts @ delta, delta @ local
        received = exchange.wait_tensor(received)
        ghost_gradient = received if ranks == 2 else received.view(ranks - 1, k, -1).sum(0)
        compressor_gradient = ghost_gradient @ x
        x_gradient.addmm_(ghost_gradient.t(), compressor)
        return x_gradient, local_gradient, compressor_gradient, decompressor_gradient, bias_gradient, None, None


class PhantomLinear(torch.nn.Module):

    def __init__(self, parameters, name, rank, ranks, activation):
        super().__init__()
        self.local = parameter(parameters[f"{name}.local"][rank])
        self.compressor = parameter(parameters[f"{name}.compressor"][rank])
        sources = [source for source in range(ranks) if source != rank]
        decompressor = parameters[f"{name}.decompressor"][rank, sources]
        self.decompressor = parameter(decompressor.reshape(-1, decompressor.shape[-1]))
        self.bias = parameter(parameters[f"{name}.bias"].reshape(ranks, -1)[rank])
        self.place, self.activation = (rank, ranks), activation

    def forward(self, x):
        return PhantomFunction.apply(x, self.local, self.compressor, self.decompressor, self.bias, self.place,
                                     self.activation)


def make_step(options, rank, parameters, x, t):
    depth = options.layers + 2
    dense = lambda i: (parameters[f"fc{i}.weight"], parameters[f"fc{i}.bias"], rank, options.ranks)
    hidden = [PhantomLinear(parameters, f"fc{i}", rank, options.ranks, options.activation) for i in range(2, depth)]
    model = torch.nn.Sequential(torch_layers.ColumnLinear(*dense(1), options.activation), *hidden,
                                torch_layers.RowLinear(*dense(depth), None))
    return torch_layers.make_step(model, x, t, options.learning_rate, options.mode == "compile")


if __name__ == "__main__":
    sys.exit(torch_ranks.main(__doc__, ("eager", "compile"), ("phantom",), make_step))
