# ===- torch_layers.py - Dense layers divided over ranks, and training -----=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""A layer that each rank has some output columns of, one that each has some input columns of, and the step around them.

The same code runs eagerly and under torch.compile: exchanges are PyTorch's functional collectives, started and waited
for apart. Nothing reads a result before it is waited for.
"""
import torch
import torch.distributed as dist
import torch.nn.functional as F

exchange = torch.ops._c10d_functional
# name -> (in place, gradient from the gradient of the output and the output)
ACTIVATIONS = {
    None: (lambda z: z, lambda gradient, _: gradient),
    "relu": (torch.relu_, lambda gradient, y: torch.ops.aten.threshold_backward(gradient, y, 0)),
    "tanh": (torch.tanh_, torch.ops.aten.tanh_backward),
}


def world():
    return dist.group.WORLD.group_name


def parameter(value):
    """A copy: gradients and updates need memory of their own."""
    return torch.nn.Parameter(torch.tensor(value))


class ColumnFunction(torch.autograd.Function):
    """y = act(x·Wᵀ + b) with the rank's rows of W; the gradient of x is summed over the ranks."""

    @staticmethod
    def forward(ctx, x, weight, bias, activation):
        y = ACTIVATIONS[activation][0](torch.addmm(bias, x, weight.t()))
        ctx.save_for_backward(x, weight, y)
        ctx.activation = activation
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, weight, y = ctx.saved_tensors
        delta = ACTIVATIONS[ctx.activation][1](gradient, y)
        sent = exchange.all_reduce(delta @ weight, "sum", world()) if ctx.needs_input_grad[0] else None
        weight_gradient, bias_gradient = delta.t() @ x, delta.sum(0)
        return sent if sent is None else exchange.wait_tensor(sent), weight_gradient, bias_gradient, None


class RowFunction(torch.autograd.Function):
    """y = act(Σ x·Wᵀ + b) with the rank's columns of x and W, summed over the ranks."""

    @staticmethod
    def forward(ctx, x, weight, bias, activation):
        y = exchange.wait_tensor(exchange.all_reduce(x @ weight.t(), "sum", world()))
        y = ACTIVATIONS[activation][0](y.add_(bias))
        ctx.save_for_backward(x, weight, y)
        ctx.activation = activation
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, weight, y = ctx.saved_tensors
        delta = ACTIVATIONS[ctx.activation][1](gradient, y)
        return delta @ weight, delta.t() @ x, delta.sum(0), None


class ColumnLinear(torch.nn.Module):

    def __init__(self, weight, bias, rank, ranks, activation):
        super().__init__()
        rows = slice(rank * len(bias) // ranks, (rank + 1) * len(bias) // ranks)
        self.weight, self.bias, self.activation = parameter(weight[rows]), parameter(bias[rows]), activation

    def forward(self, x):
        return ColumnFunction.apply(x, self.weight, self.bias, self.activation)


class RowLinear(torch.nn.Module):

    def __init__(self, weight, bias, rank, ranks, activation):
        super().__init__()
        n = weight.shape[1]
        columns = slice(rank * n // ranks, (rank + 1) * n // ranks)
        self.weight, self.bias, self.activation = parameter(weight[:, columns]), parameter(bias), activation

    def forward(self, x):
        return RowFunction.apply(x, self.weight, self.bias, self.activation)


def own_part(tensor):
    """What this rank holds of a DTensor: PyTorch has no fused SGD of whole ones."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def make_step(model, x, t, learning_rate, compiled):
    """A function that trains one step of SGD on the mean squared error, and returns the loss before it."""
    x, t = torch.tensor(x), torch.tensor(t)
    parameters = list(model.parameters())
    parts = [own_part(whole.detach()) for whole in parameters]
    optimizer = torch.optim.SGD(parts, lr=learning_rate, fused=True)
    loss_of = lambda: F.mse_loss(model(x), t)
    if compiled:
        loss_of = torch.compile(loss_of, fullgraph=True, dynamic=False)

    def step():
        loss = loss_of()
        loss.backward()
        for part, whole in zip(parts, parameters):
            part.grad, whole.grad = own_part(whole.grad), None
        optimizer.step()
        return loss.detach()

    return step
