# ===- compile_time.py - From an ONNX file to a program that is ready -------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/compile_time, which documents the options."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import zero_model

TARGETS = {2: 0.3, 20: 0.7, 100: 3.0}  # seconds, by layers


def seconds(command):
    begin = time.perf_counter()
    run = subprocess.run(command, capture_output=True, text=True)
    taken = time.perf_counter() - begin
    if run.returncode:
        sys.exit(f"compile_time: {' '.join(command)} failed:\n{run.stderr}")
    return taken


def measure(options, layers):
    """The rows of one depth; they take turns with each other and with a process that does nothing."""
    tool = os.path.join(options.tools_dir, "phantom-run")
    with tempfile.TemporaryDirectory(prefix="phantom-compile-", dir=options.folder) as folder:
        zero_model.save_square(folder, options.width, layers)
        cases = [(p, strategy) for p in options.ranks for strategy in options.strategies]
        times, idle = {case: [] for case in cases}, []
        for at in range(options.rounds):
            idle.append(seconds([tool, "--version"]))
            for p, strategy in cases:
                ghosts = ["--ghost-width", str(options.ghost_width)] if strategy == "phantom" else []
                times[p, strategy].append(seconds([
                    tool, "compile", os.path.join(folder, "model.onnx"), "--strategy", strategy, "--ranks", str(p),
                    *ghosts, "--init", "random", "--loss", "mse", "--optimizer", "sgd", "-o",
                    os.path.join(folder, f"{strategy}-{p}-{at}")]))
    target = TARGETS.get(layers)
    return [dict(layers=layers, p=p, strategy=strategy, seconds=statistics.median(values),
                 start_seconds=statistics.median(idle), target_seconds=target)
            for (p, strategy), values in times.items()]


def show(rows, header):
    if header:
        print(f"{'layers':>6} {'p':>3}  {'strategy':<9} {'compile':>9} {'start':>9} {'target':>8} {'ratio':>6}")
    for row in rows:
        target = row["target_seconds"]
        beside = f"{target:>6.1f} s {row['seconds'] / target:>6.2f}" if target else f"{'-':>8} {'-':>6}"
        print(f"{row['layers']:>6} {row['p']:>3}  {row['strategy']:<9} {row['seconds']:>7.3f} s "
              f"{row['start_seconds']:>7.3f} s {beside}", flush=True)


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--layers", type=numbers, default=list(TARGETS))
    parser.add_argument("--ranks", type=numbers, default=[2, 64])
    parser.add_argument("--strategies", type=lambda text: text.split(","), default=["phantom", "tensor"])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--ghost-width", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None,
                        help="where models and programs are written; in memory, so that no disk is measured")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    rows = []
    for layers in options.layers:
        new = measure(options, layers)
        show(new, header=not rows)
        rows += new
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
