# ===- reference.py - Phantom parallelism in NumPy, for checking -----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Feed-forward nets whose layers are dense or phantom: forward, hand-written backward, losses, optimizers.

One process plays every rank. Everything is float64 unless the parameters are not. Parameters are a dict with
the names and shapes of Phantom's .safetensors files, with p ranks and ghost width k:

    dense layer     fcI.weight [n_out, n_in]
    phantom layer   fcI.local [p, m_out, m_in]   fcI.compressor [p, k, m_in]
                    fcI.decompressor [p_dst, p_src, k, m_out], own blocks zero
    both            fcI.bias [n_out]

First layers with replicated inputs and last layers with summed partial products are dense here: how their
columns are dealt to ranks changes no value.
"""
import dataclasses
import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[float])


def _sigmoid(z):
    return 0.5 * (1 + np.tanh(0.5 * z))


def _gelu_erf_gradient(z):
    return 0.5 * (1 + _erf(z / math.sqrt(2))) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _gelu_tanh_parts(z):
    c = math.sqrt(2 / math.pi)
    return np.tanh(c * (z + 0.044715 * z**3)), c * (1 + 3 * 0.044715 * z * z)


def _gelu_tanh_gradient(z):
    t, inner = _gelu_tanh_parts(z)
    return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * inner


# name -> (value, derivative); leaky_relu and elu with the ONNX defaults 0.01 and 1.
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(z.dtype)),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01).astype(z.dtype)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
            lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0)))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z)**2),
    "sigmoid": (_sigmoid, lambda z: _sigmoid(z) * (1 - _sigmoid(z))),
    "gelu": (lambda z: 0.5 * z * (1 + _erf(z / math.sqrt(2))), _gelu_erf_gradient),
    "gelu_tanh": (lambda z: 0.5 * z * (1 + _gelu_tanh_parts(z)[0]), _gelu_tanh_gradient),
    "silu": (lambda z: z * _sigmoid(z), lambda z: _sigmoid(z) * (1 + z * (1 - _sigmoid(z)))),
}


def loss_mse(outputs, targets):
    difference = outputs - targets
    return np.mean(difference**2), 2 * difference / difference.size


def loss_cross_entropy(outputs, targets):
    """Mean over the samples; logits [B, classes], integer targets [B]."""
    rows = np.arange(len(outputs))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    gradient = np.exp(shifted - log_sum[:, None])
    gradient[rows, targets] -= 1
    return np.mean(log_sum - shifted[rows, targets]), gradient / len(outputs)


def loss_bce(outputs, targets):
    """Mean over all elements, from logits."""
    value = np.maximum(outputs, 0) - outputs * targets + np.log1p(np.exp(-np.abs(outputs)))
    return np.mean(value), (_sigmoid(outputs) - targets) / outputs.size


LOSSES = {"mse": loss_mse, "cross-entropy": loss_cross_entropy, "bce": loss_bce}


@dataclasses.dataclass
class Network:
    """widths[0] -> widths[1] -> ...; `activation` after every layer but the last."""
    widths: list
    activation: str = "relu"
    bias: bool = True
    ranks: int = 1
    ghost_width: int = 0
    phantom: frozenset = frozenset()  # 1-based indices of the phantom layers

    @property
    def depth(self):
        return len(self.widths) - 1

    def shapes(self):
        """Parameter names and shapes. At p = 1 a phantom layer is the dense one; at k = 0 it has no ghosts."""
        p, k, result = self.ranks, self.ghost_width, {}
        for i, (n_in, n_out) in enumerate(zip(self.widths, self.widths[1:]), start=1):
            if i in self.phantom and p > 1:
                assert n_in % p == 0 and n_out % p == 0
                result[f"fc{i}.local"] = (p, n_out // p, n_in // p)
                if k:
                    result[f"fc{i}.compressor"] = (p, k, n_in // p)
                    result[f"fc{i}.decompressor"] = (p, p, k, n_out // p)
            else:
                result[f"fc{i}.weight"] = (n_out, n_in)
            if self.bias:
                result[f"fc{i}.bias"] = (n_out,)
        return result

    def random_parameters(self, rng, dtype=np.float64):
        """Uniform in ±1/√(fan-in) for each factor."""
        parameters = {}
        for name, shape in self.shapes().items():
            if name.endswith("decompressor"):
                fan_in = self.ghost_width * self.ranks
            elif name.endswith("bias"):
                fan_in = self.widths[int(name[2:].split(".")[0]) - 1]
            else:
                fan_in = shape[-1]
            value = rng.uniform(-1, 1, shape) / math.sqrt(fan_in)
            if name.endswith("decompressor"):
                value[np.arange(self.ranks), np.arange(self.ranks)] = 0
            parameters[name] = value.astype(dtype)
        return parameters

    def forward(self, parameters, x):
        """Outputs [B, n], and what `backward` needs."""
        saved, y = [], x
        for i in range(1, self.depth + 1):
            z, ghosts = self._linear(parameters, i, y)
            saved.append((y, ghosts, z))
            y = z if i == self.depth else ACTIVATIONS[self.activation][0](z)
        return y, saved

    def backward(self, parameters, saved, cotangent):
        """Gradients by parameter name, from the gradient of the outputs."""
        gradients = {}
        for i in range(self.depth, 0, -1):
            y, ghosts, z = saved[i - 1]
            if i < self.depth:
                cotangent = cotangent * ACTIVATIONS[self.activation][1](z)
            cotangent = self._linear_backward(parameters, gradients, i, y, ghosts, cotangent)
        return gradients

    def loss_and_gradients(self, parameters, x, targets, loss):
        outputs, saved = self.forward(parameters, x)
        value, cotangent = LOSSES[loss](outputs, targets)
        return value, self.backward(parameters, saved, cotangent)

    # What an arithmetic of lower precision does otherwise.

    def factor(self, value):
        """A factor of a matrix product, as the product takes it."""
        return value

    def gathered(self, ghosts):
        """The ghosts [src, B, k] of all ranks, as each rank gets them."""
        return ghosts

    def summed(self, parts):
        """The sum over the first dimension of the ghosts' gradients [dst, src, B, k]."""
        return parts.sum(axis=0)

    def _shards(self, y):
        """[B, n] -> [p, B, m]."""
        return np.stack(np.split(y, self.ranks, axis=1))

    def _linear(self, parameters, i, y):
        bias = parameters.get(f"fc{i}.bias", 0)
        if f"fc{i}.weight" in parameters:
            return self.factor(y) @ self.factor(parameters[f"fc{i}.weight"]).T + bias, None
        shards = self.factor(self._shards(y))
        z = shards @ self.factor(parameters[f"fc{i}.local"]).transpose(0, 2, 1)
        ghosts = None
        if f"fc{i}.compressor" in parameters:
            ghosts = self.gathered(shards @ self.factor(parameters[f"fc{i}.compressor"]).transpose(0, 2, 1))
            decompressor = self.factor(parameters[f"fc{i}.decompressor"])
            z = z + np.einsum("sbk,dskm->dbm", self.factor(ghosts), decompressor, optimize=True)
        return np.concatenate(list(z), axis=1) + bias, ghosts

    def _linear_backward(self, parameters, gradients, i, y, ghosts, delta):
        if f"fc{i}.bias" in parameters:
            gradients[f"fc{i}.bias"] = delta.sum(axis=0)
        y, delta = self.factor(y), self.factor(delta)
        if f"fc{i}.weight" in parameters:
            gradients[f"fc{i}.weight"] = delta.T @ y
            return delta @ self.factor(parameters[f"fc{i}.weight"])
        shards, deltas = self._shards(y), self._shards(delta)
        gradients[f"fc{i}.local"] = deltas.transpose(0, 2, 1) @ shards
        back = deltas @ self.factor(parameters[f"fc{i}.local"])
        if ghosts is not None:
            own = np.arange(self.ranks)
            gradient = np.einsum("sbk,dbm->dskm", self.factor(ghosts), deltas, optimize=True)
            gradient[own, own] = 0
            gradients[f"fc{i}.decompressor"] = gradient
            decompressor = self.factor(parameters[f"fc{i}.decompressor"])
            gamma = self.factor(self.summed(np.einsum("dbm,dskm->dsbk", deltas, decompressor, optimize=True)))
            gradients[f"fc{i}.compressor"] = gamma.transpose(0, 2, 1) @ shards
            back = back + gamma @ self.factor(parameters[f"fc{i}.compressor"])
        return np.concatenate(list(back), axis=1)


def dense_equivalent(network, parameters):
    """The dense network, and its parameters, that compute the same function."""
    dense, p = {}, network.ranks
    for name, value in parameters.items():
        layer, kind = name.split(".")
        if kind == "local":
            blocks = np.zeros((p, value.shape[1], p, value.shape[2]), value.dtype)  # [dst, m_out, src, m_in]
            if f"{layer}.compressor" in parameters:
                blocks += np.einsum("dskm,ski->dmsi", parameters[f"{layer}.decompressor"],
                                    parameters[f"{layer}.compressor"], optimize=True)
            blocks[np.arange(p), :, np.arange(p), :] = value
            dense[f"{layer}.weight"] = blocks.reshape(p * value.shape[1], p * value.shape[2])
        elif kind in ("weight", "bias"):
            dense[name] = value
    return dataclasses.replace(network, ranks=1, ghost_width=0, phantom=frozenset()), dense


def low_rank_start(network, dense):
    """Phantom parameters from dense ones: exact diagonal blocks; per source rank the truncated SVD of the stacked
    off-diagonal blocks, split evenly."""
    p, k, parameters = network.ranks, network.ghost_width, {}
    for name, shape in network.shapes().items():
        layer, kind = name.split(".")
        if kind in ("weight", "bias"):
            parameters[name] = dense[name]
        elif kind == "local":
            blocks = dense[f"{layer}.weight"].reshape(p, shape[1], p, shape[2])
            parameters[name] = blocks[np.arange(p), :, np.arange(p), :]
            if not k:
                continue
            compressor = np.zeros((p, k, shape[2]))
            decompressor = np.zeros((p, p, k, shape[1]))
            for source in range(p):
                others = [d for d in range(p) if d != source]
                u, s, vt = np.linalg.svd(np.concatenate([blocks[d, :, source] for d in others]), full_matrices=False)
                root = np.sqrt(s[:k])
                compressor[source, :len(root)] = root[:, None] * vt[:k]
                for at, d in enumerate(others):
                    rows = u[at * shape[1]:(at + 1) * shape[1], :k] * root
                    decompressor[d, source, :len(root)] = rows.T
            parameters[f"{layer}.compressor"], parameters[f"{layer}.decompressor"] = compressor, decompressor
    return parameters


class Optimizer:
    """sgd, momentum, adam, adamw; the hyperparameters are phantom-run's defaults."""

    def __init__(self, kind, learning_rate, momentum=0.9, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01):
        self.kind, self.learning_rate, self.momentum = kind, learning_rate, momentum
        self.beta1, self.beta2, self.epsilon, self.weight_decay = beta1, beta2, epsilon, weight_decay
        self.step, self.state = 0, {}

    def update(self, parameters, gradients):
        """Updates `parameters` in place."""
        self.step += 1
        for name, gradient in gradients.items():
            value = parameters[name]
            if self.kind == "sgd":
                value -= self.learning_rate * gradient
            elif self.kind == "momentum":
                velocity = self.state.setdefault(name, np.zeros_like(value))
                velocity *= self.momentum
                velocity += gradient
                value -= self.learning_rate * velocity
            else:
                self._adam(name, value, gradient)

    def _adam(self, name, value, gradient):
        first, second = self.state.setdefault(name, (np.zeros_like(value), np.zeros_like(value)))
        first *= self.beta1
        first += (1 - self.beta1) * gradient
        second *= self.beta2
        second += (1 - self.beta2) * gradient**2
        if self.kind == "adamw":
            value -= self.learning_rate * self.weight_decay * value
        corrected = np.sqrt(second / (1 - self.beta2**self.step)) + self.epsilon
        value -= self.learning_rate * (first / (1 - self.beta1**self.step)) / corrected
