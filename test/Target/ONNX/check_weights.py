#!/usr/bin/env python3
# ===- check_weights.py - Compares imported weights with the model's -------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: check_weights.py DIR CASE...   the weights of each DIR/CASE.safetensors are make_model.py's 0.5, 1.5, ..."""
import json
import struct
import sys

import numpy as np

folder, cases = sys.argv[1], sys.argv[2:]
for case in cases:
    with open(f"{folder}/{case}.safetensors", "rb") as file:
        data = file.read()
    (size,) = struct.unpack_from("<Q", data)
    entries = json.loads(data[8:8 + size])
    assert entries, case
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", (case, name)
        array = np.frombuffer(data[8 + size:][begin:end], np.float32)
        assert array.size == np.prod(entry["shape"]), (case, name)
        np.testing.assert_array_equal(array, np.arange(array.size) + 0.5, err_msg=f"{case}: {name}")
