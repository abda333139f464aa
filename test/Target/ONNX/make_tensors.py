#!/usr/bin/env python3
# ===- make_tensors.py - A .safetensors file of given shapes ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: make_tensors.py FILE NAME:2x3...   f32 tensors of 0, 1, 2, ..."""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Execution"))
import safetensors

tensors = {}
for argument in sys.argv[2:]:
    name, dims = argument.split(":")
    shape = [int(d) for d in dims.split("x")]
    tensors[name] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
safetensors.save(sys.argv[1], tensors)
