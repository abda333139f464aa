#!/usr/bin/env python3
# ===- make_data.py - The teacher task and its model -----------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Writes {train,test}_{inputs,targets}.npy and teacher.onnx beside this file. README.md says why this task."""
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import mlp

INPUTS, OUTPUTS, WIDTH = 16, 4, 64
TRAIN, TEST = 16384, 2048


def teach(rng, inputs):
    """Targets [N, OUTPUTS] = |Σ_i ±|w_i·x|| with orthonormal w_i: every output needs all features at once."""
    directions = np.linalg.qr(rng.standard_normal((INPUTS, INPUTS)))[0]
    signs = rng.choice([-1.0, 1.0], (OUTPUTS, INPUTS)) / np.sqrt(INPUTS)
    features = np.abs(inputs @ directions.T) - np.sqrt(2 / np.pi)
    return np.abs(features @ signs.T)


def main():
    rng = np.random.RandomState(1)
    inputs = rng.standard_normal((TRAIN + TEST, INPUTS))
    targets = teach(rng, inputs)
    targets = (targets - targets[:TRAIN].mean(axis=0)) / targets[:TRAIN].std(axis=0)
    parts = {"train": slice(0, TRAIN), "test": slice(TRAIN, None)}
    for name, part in parts.items():
        np.save(os.path.join(HERE, f"{name}_inputs.npy"), inputs[part].astype(np.float32))
        np.save(os.path.join(HERE, f"{name}_targets.npy"), targets[part].astype(np.float32))
    layers = mlp.initial_weights(np.random.RandomState(2), [INPUTS, WIDTH, WIDTH, WIDTH, OUTPUTS])
    mlp.save_onnx(os.path.join(HERE, "teacher.onnx"), layers, "input", "output")


if __name__ == "__main__":
    main()
