#!/usr/bin/env python3
# ===- fuzz_import.py - Damaged models must give an error, not a crash -----=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: fuzz_import.py TRANSLATE DIR RUNS CASE...

Truncates the cases of make_model.py, flips their bits and repeats parts of them, RUNS times in all, from a fixed seed. Each
import must succeed or exit with status 1 and one error.
"""
import os
import random
import subprocess
import sys


def damage(data, rng):
    data = bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(data[:rng.randrange(len(data))])
    if kind == 1:
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == 2:
        data[rng.randrange(len(data))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    else:
        begin, length, to = rng.randrange(len(data)), rng.randint(1, 32), rng.randrange(len(data))
        data[to:to] = data[begin:begin + length]
    return bytes(data)


def main():
    translate, folder, runs, cases = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    originals = [open(os.path.join(folder, case + ".onnx"), "rb").read() for case in cases]
    rng = random.Random(20)
    path, imported = os.path.join(folder, "damaged.onnx"), 0
    for run in range(runs):
        with open(path, "wb") as file:
            file.write(damage(originals[run % len(originals)], rng))
        result = subprocess.run([translate, "--import-onnx", path, "-o", path + ".mlir"], capture_output=True, timeout=60)
        errors = [line for line in result.stderr.splitlines() if b"error: " in line]
        if result.returncode not in (0, 1) or len(errors) != result.returncode:
            sys.exit(f"run {run}: status {result.returncode}; the model is {path}\n" + result.stderr.decode(errors="replace"))
        imported += result.returncode == 0
    print(f"{runs} damaged models: {imported} imported, {runs - imported} refused")


if __name__ == "__main__":
    main()
