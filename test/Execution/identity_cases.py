# ===- identity_cases.py - Exact identities and counted bytes -----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import dataclasses

import numpy as np

import models
import reference
import safetensors
from grid_cases import EDGES
from harness import check, check_close, double, losses, prepared, reference_losses, steps, strategy_flags, train_flags
from reference import Network


def full_ghosts_equal_dense(ranks):
    """k = m, C = I, D = the off-diagonal blocks of W: the dense layer, to rounding."""

    def run(options):
        m = 64 // ranks
        network = Network([64] * 4, "tanh", True, ranks, m, frozenset([1, 2, 3]))
        dense = Network([64] * 4, "tanh")
        weights = dense.random_parameters(np.random.default_rng(5), np.float32)
        parameters = {}
        for name, value in weights.items():
            layer, kind = name.split(".")
            if kind == "bias":
                parameters[name] = value
                continue
            blocks = value.reshape(ranks, m, ranks, m)  # [dst, m_out, src, m_in]
            own = np.arange(ranks)
            parameters[f"{layer}.local"] = blocks[own, :, own, :]
            parameters[f"{layer}.compressor"] = np.repeat(np.eye(m, dtype=np.float32)[None], ranks, axis=0)
            decompressor = blocks.transpose(0, 2, 3, 1).copy()  # [dst, src, k, m_out]
            decompressor[own, own] = 0
            parameters[f"{layer}.decompressor"] = decompressor
        with prepared(options, network) as (scratch, _, x, t):
            safetensors.save(scratch.path("parameters.safetensors"), parameters)
            scratch.run("infer", "model.onnx", *strategy_flags(network, "phantom"), *EDGES["phantom"], "--init",
                        "from-file=parameters.safetensors", "--inputs", "x.npy", "--outputs", "y.npy",
                        "--batch-size", len(x))
            expected = dense.forward(double(weights), x.astype(np.float64))[0]
            check_close("outputs", np.load(scratch.path("y.npy")), expected)

    return run


def low_rank_start(ranks, ghost_width):
    """--init from-dense: exact diagonal blocks and the truncated SVD of the others (its sign is free, so by outputs)."""

    def run(options):
        network = Network([64, 64, 32, 64], "tanh", True, ranks, ghost_width, frozenset([1, 2, 3]))
        dense = Network(network.widths, "tanh")
        with prepared(options, network) as (scratch, _, x, t):
            weights = dense.random_parameters(np.random.default_rng(6), np.float32)
            models.save_mlp(scratch.path("model.onnx"), dense, weights)
            flags = strategy_flags(network, "phantom") + EDGES["phantom"]
            parameters = reference.low_rank_start(network, double(weights))
            x64 = x.astype(np.float64)
            scratch.run("infer", "model.onnx", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", len(x))
            check_close("outputs", np.load(scratch.path("y.npy")), network.forward(parameters, x64)[0])
            scratch.run("train", "model.onnx", *flags, *train_flags(len(x), "mse"))
            expected = reference_losses(network, parameters, x64, t, "mse", reference.Optimizer("sgd", 0.05))
            check_close("losses", losses(scratch.log()), expected)

    return run


def counted_bytes(options, network, strategy, edges, batch):
    with prepared(options, network, batch=batch) as (scratch, parameters, x, t):
        flags = strategy_flags(network, strategy) + EDGES[edges]
        scratch.run("train", "model.onnx", *flags, *train_flags(batch, "mse", count=2))
        first, second = steps(scratch.log())
        check(first["comm_bytes"] == second["comm_bytes"], "counted bytes differ between steps")
        return first["comm_bytes"], first["model_comm_bytes"]


def bytes_equal_formula(ranks, ghost_width):
    """What k ghosts add, counted at the access, is 2(p-1)·B·k elements per layer and rank: all-gather and
    reduce-scatter. (A layer's reduce-scatter is absent where nobody needs the input's gradient.)"""

    def run(options):
        batch, depth = 16, 5
        network = Network([64] * (depth + 1), "relu", True, ranks, ghost_width, frozenset(range(2, depth)))
        counted, model = counted_bytes(options, network, "phantom", "default", batch)
        without, model_without = counted_bytes(
            options, dataclasses.replace(network, ghost_width=0), "phantom", "default", batch)
        expected = 2 * (ranks - 1) * batch * ghost_width * 4 * len(network.phantom)
        check(counted - without == expected, f"{counted - without} bytes counted, formula {expected}")
        check(model - model_without == expected, f"{model - model_without} bytes in the model, formula {expected}")

    return run


def no_ghosts_no_exchange(ranks):
    """k = 0: the phantom layers exchange nothing, in the IR and in the counters."""

    def run(options):
        network = Network([64] * 5, "relu", True, ranks, 0, frozenset([2, 3]))
        with prepared(options, network) as (scratch, _, x, t):
            process = scratch.tool("phantom-translate", "--import-onnx", "model.onnx", "-o", "model.mlir")
            check(process.returncode == 0, process.stderr)
            process = scratch.tool("phantom-opt", "model.mlir", "--phantom-specialize-batch=batch-size=8",
                                   "--phantom-partition=strategy=phantom "
                                   f"ranks={ranks} ghost-width=0 first-layer=dense last-layer=phantom")
            check(process.returncode == 0, process.stderr)
            body = process.stdout
            check("phantom.linear" in body, "no layer in the IR")
            for op in ("phantom.compress", "phantom.decompress", "phantom.reduce_scatter", "phantom.all_reduce"):
                check(op not in body, f"{op} at k = 0")
            gathers = body.count("phantom.all_gather")
            check(gathers <= 1, f"{gathers} all-gathers at k = 0; only the output may need one")
        counted, _ = counted_bytes(options, network, "phantom", "default", 8)
        single = dataclasses.replace(network, widths=[64] * 3, phantom=frozenset())
        edges_only, _ = counted_bytes(options, single, "phantom", "default", 8)
        check(counted == edges_only, f"{counted} bytes with two layers at k = 0, {edges_only} without them")

    return run


def cases(options):
    for ranks in (2, 4, 8):
        yield f"identity/full-ghosts-p{ranks}", full_ghosts_equal_dense(ranks)
        yield f"identity/no-ghosts-p{ranks}", no_ghosts_no_exchange(ranks)
        for ghost_width in (1, 4):
            yield f"identity/low-rank-p{ranks}-k{ghost_width}", low_rank_start(ranks, ghost_width)
            yield f"identity/bytes-p{ranks}-k{ghost_width}", bytes_equal_formula(ranks, ghost_width)
