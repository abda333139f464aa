# ===- gemm_cases.py - Every GEMM library computes the same ---------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""--gemm and --autotune against the reference, for each strategy."""
import itertools

from error_cases import expect_error
from harness import check_training, prepared, strategy_flags
from reference import Network

KERNELS = ("onednn", "onednn-packed", "onednn-sgemm", "openblas", "openblas-transposed")
CHOICES = {name: ["--gemm", name] for name in KERNELS} | {"autotune": ["--autotune"]}


def trains(strategy, activation, flags):

    def run(options):
        phantom = frozenset([2, 3]) if strategy == "phantom" else frozenset()
        network = Network([64, 96, 64, 32, 64], activation, True, 2, 4, phantom)
        with prepared(options, network, "mse", batch=12) as (scratch, parameters, x, t):
            every = strategy_flags(network, strategy) + ["--init", "from-file=parameters.safetensors"] + flags
            check_training(scratch, network, parameters, x, t, "mse", every)

    return run


def contradiction(options):
    with prepared(options, Network([64] * 3, "relu", True, 2, 4)) as (scratch, *_):
        flags = ["train", "model.onnx", "--inputs", "x.npy", "--targets", "t.npy", "--steps", "1", "--autotune"]
        expect_error(scratch, [*flags, "--gemm", "openblas"], "--gemm openblas has chosen")
        expect_error(scratch, [*flags, "--gemm", "mkl"], "--gemm mkl: unknown", "onednn-sgemm")


def cases(options):
    for (name, flags), strategy in itertools.product(CHOICES.items(), ("phantom", "tensor", "megatron")):
        yield f"gemm/{name}-{strategy}", trains(strategy, "gelu" if strategy == "tensor" else "tanh", flags)
    yield "gemm/contradiction", contradiction
