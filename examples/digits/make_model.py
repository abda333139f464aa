#!/usr/bin/env python3
# ===- make_model.py - digits.onnx -----------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Writes digits.onnx beside this file: 64-512-512-512-10, relu, seeded start."""
import os
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import mlp

if __name__ == "__main__":
    layers = mlp.initial_weights(np.random.RandomState(0), [64, 512, 512, 512, 10])
    mlp.save_onnx(os.path.join(HERE, "digits.onnx"), layers, "image", "logits")
