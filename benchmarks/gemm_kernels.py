# ===- gemm_kernels.py - Times of the linked GEMM kernels by shape ----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/gemm_kernels, which documents the options."""
import argparse
import collections
import os
import subprocess
import sys

import step_time
from training_runs import RANKS

# What the runtime can choose from (GemmChoices.h), by the names of bare_gemm. Packing at each step is not among it: it pays in
# none of the shapes.
CHOICES = {"matmul": "OneDnn", "sgemm": "OneDnnSgemm", "openblas": "OpenBlas"}
# For weights that do not change.
PREPARED = {"packed": "OneDnnPacked", "transposed": "OpenBlasTransposed"}
NAMES = ("matmul", "packing", "sgemm", "openblas", "packed", "transposed")
# Those that add the bias and apply the activation; the others need a pass behind them.
FINISHING = ("matmul", "packed")
# One call that does is preferred to two where it costs at most this much more, where weights change.
PREFERENCE = 1.03


def measure(options, shapes):
    """Microseconds by shape and kernel; the mean where the list has a shape several times."""
    lines = "\n".join(" ".join(map(str, shape)) for shape in shapes)
    command = [os.path.join(options.tools_dir, "bare_gemm"), str(RANKS), str(options.seconds), "kernels"]
    run = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    times = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in run.stdout.splitlines():
        words = line.split()
        for word in words[5:]:
            kernel, microseconds = word.split("=")
            times[tuple(map(int, words[:5]))][kernel].append(float(microseconds))
    return {shape: {kernel: sum(all) / len(all) for kernel, all in kernels.items()} for shape, kernels in times.items()}


def best(kernels):
    fastest = min(CHOICES, key=kernels.get)
    return "matmul" if kernels["matmul"] <= PREFERENCE * kernels[fastest] else fastest


def best_constant(kernels, choices):
    """Of products in inference, nearly all of which have a bias or an activation."""
    return min(choices, key=lambda kernel: kernels[kernel] + (0 if kernel in FINISHING else kernels["finish"]))


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--widths", type=numbers, default=[512, 1024, 2048, 4096])
    parser.add_argument("--batches", type=numbers, default=[1, 64, 256, 1024])
    parser.add_argument("--ghost-widths", type=numbers, default=[4, 8, 32])
    parser.add_argument("--seconds", type=float, default=1, help="of one list of GEMMs, at least")
    parser.add_argument("--table", metavar="ISA", help="Avx2 or Avx512: print lines for GemmTable.def")
    options = parser.parse_args()
    known = {}
    for width in options.widths:
        for batch in options.batches:
            for strategy, k in [("phantom", k) for k in options.ghost_widths] + [("tensor", None), ("megatron", None)]:
                known.update(measure(options, step_time.gemms(strategy, batch, width, k, RANKS)))
    if not options.table:
        print(f"{'m':>5} {'n':>5} {'k':>5}    {' '.join(f'{name:>10}' for name in NAMES)}  (GFLOP/s)")
    for (m, n, k, trans_a, trans_b), kernels in sorted(known.items(), key=lambda item: (item[0][3:], item[0][:3])):
        transposes = "nt"[trans_a] + "nt"[trans_b]
        if options.table:
            print(f"GEMM({options.table}, {transposes}, {m}, {n}, {k}, {CHOICES[best(kernels)]})")
            if not trans_a:  # a forward product
                choices = CHOICES | (PREPARED if trans_b else {"packed": PREPARED["packed"]})
                print(f"GEMM({options.table}, {transposes}_constant, {m}, {n}, {k}, {choices[best_constant(kernels, choices)]})")
            continue
        rates = " ".join(f"{2e-3 * m * n * k / kernels[kernel]:>10.1f}" for kernel in NAMES)
        print(f"{m:>5} {n:>5} {k:>5} {transposes} {rates}  {best(kernels)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
