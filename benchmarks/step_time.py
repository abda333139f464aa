# ===- step_time.py - Step times of the strategies, side by side ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/step_time, which documents the options."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import zero_model
from training_runs import run_flags, steps

DEPTH = 4
PEAK = 2e11  # flop/s of a rank: only to choose how many steps a round takes


def dense_gemms(batch, n_in, n_out, input_gradient):
    """(M, N, K, transA, transB) of one rank's part n_in -> n_out: forward, weight gradient, input gradient."""
    return [(batch, n_out, n_in, 0, 1), (n_out, n_in, batch, 1, 0)] + [(batch, n_in, n_out, 0, 0)] * input_gradient


def phantom_gemms(batch, m, k, ranks, input_gradient):
    """L, C and D forward; their gradients; the way back through each (a phantom layer's backward)."""
    gathered = ranks * k
    ghosts = [(k, batch, m, 0, 1), (batch, m, gathered, 1, 0),  # compress, decompress
              (gathered, m, batch, 0, 0), (gathered, batch, m, 0, 1),  # gradient of D, back through D
              (k, m, batch, 0, 0)]  # gradient of C
    return dense_gemms(batch, m, m, input_gradient) + ghosts + [(batch, m, k, 1, 0)] * input_gradient


def gemms(strategy, batch, width, k, ranks):
    """One rank's step."""
    m = width // ranks
    if strategy == "phantom":
        return [g for i in range(DEPTH) for g in phantom_gemms(batch, m, k, ranks, input_gradient=i > 0)]
    columns, rows = (batch, width, m), (batch, m, width)  # of a dense layer, and the partial products of one
    layers = [columns] * (DEPTH - 1) + [rows] if strategy == "tensor" else [columns, rows] * (DEPTH // 2)
    return [g for i, layer in enumerate(layers) for g in dense_gemms(*layer, input_gradient=i > 0)]


def flops(shapes):
    return sum(2 * m * n * k for m, n, k, _, _ in shapes)


def bare_seconds(options, shapes):
    lines = "\n".join(" ".join(map(str, shape)) for shape in shapes)
    run = subprocess.run([os.path.join(options.tools_dir, "bare_gemm"), str(options.ranks), str(options.seconds)], input=lines,
                         capture_output=True, text=True, check=True)
    return float(run.stdout)


def update_seconds(folder):
    """Of rank 0 in each traced step but the first: the kernels at parameters, which update them and add up the norms of their
    gradients."""
    with open(os.path.join(folder, "trace.json")) as file:
        events = [e for e in json.load(file)["traceEvents"] if e["ph"] == "X" and e["cat"] != "run" and e["pid"] == 0]
    seconds = []
    for event in events:
        if event["args"]["command"] == 0:
            seconds.append(0)
        if event["cat"] == "kernel" and event["args"]["location"].endswith((".weight", ".bias")):
            seconds[-1] += 1e-6 * event["dur"]
    return seconds[1:]


def executed_flops(folder):
    with open(os.path.join(folder, "summary.json")) as file:
        return json.load(file)["executed_flops_per_step"]


def measure(options, folder, width, batch):
    """Rows of one width and batch. The contestants take turns, so that a slow minute hits all of them."""
    contestants = [("phantom", k) for k in options.ghost_widths] + [("tensor", None), ("megatron", None)]
    shapes = {c: gemms(c[0], batch, width, c[1], options.ranks) for c in contestants}
    records, updates, bare, executed = ({c: [] for c in contestants} for _ in range(4))
    for _ in range(options.rounds):
        for c in contestants:
            count = int(min(2000, max(4, options.seconds * PEAK / flops(shapes[c]))))
            run = lambda count, *more: steps(options.tools_dir, folder, "model.onnx", run_flags(*c, batch, options.ranks), batch, count, *more)
            records[c] += run(count, "--summary", "summary.json")
            executed[c] = executed_flops(folder)
            run(4, "--trace", "trace.json")
            updates[c] += update_seconds(folder)
            bare[c].append(bare_seconds(options, shapes[c]))
    median = lambda c, value: statistics.median(value(record) for record in records[c])
    step = {c: median(c, lambda r: r["step_seconds"]) for c in contestants}
    tensor = ("tensor", None)
    rows = []
    for c in contestants:
        update, floor = statistics.median(updates[c]), statistics.median(bare[c])
        exposed = median(c, lambda r: r["comm_seconds"] - r["comm_skew_seconds"])
        rows.append(dict(n=width, B=batch, strategy=c[0], k=c[1], step_seconds=step[c], update_seconds=update,
                         bare_gemm_seconds=floor, executed_flops=executed[c], steps=len(records[c]),
                         over_bare=(step[c] - update) / floor, exposed=exposed / step[c],
                         tensor_over_this=step[tensor] / step[c],
                         over_flops=step[c] / step[tensor] / (executed[c] / executed[tensor])))
    return rows


def show(rows, header):
    if header:
        print(f"{'n':>5} {'B':>4}  {'strategy':<13} {'step':>10} {'update':>9} {'bare GEMMs':>10}  {'rest/bare':>9} "
              f"{'exposed':>8} {'tensor/step':>11} {'time/flops':>10}")
    for row in rows:
        name = row["strategy"] if row["k"] is None else f"{row['strategy']} k={row['k']}"
        print(f"{row['n']:>5} {row['B']:>4}  {name:<13} {1e3 * row['step_seconds']:>7.3f} ms "
              f"{1e3 * row['update_seconds']:>6.3f} ms {1e3 * row['bare_gemm_seconds']:>7.3f} ms  {row['over_bare']:>9.2f} "
              f"{100 * row['exposed']:>6.1f} % {row['tensor_over_this']:>11.2f} {row['over_flops']:>10.2f}", flush=True)


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--widths", type=numbers, default=[512, 1024, 2048, 4096])
    parser.add_argument("--batches", type=numbers, default=[64, 256])
    parser.add_argument("--ghost-widths", type=numbers, default=[8, 32])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contestant in one round, about")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    options.tools_dir = os.path.abspath(options.tools_dir)
    rows = []
    for width in options.widths:
        with tempfile.TemporaryDirectory(prefix="phantom-bench-") as folder:
            zero_model.save_square(folder, width, DEPTH)
            for batch in options.batches:
                x = np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32)
                np.save(os.path.join(folder, f"x{batch}.npy"), x)
                new = measure(options, folder, width, batch)
                show(new, header=not rows)
                rows += new
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
