# ===- pass_worth.py - What each optimising pass is worth --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/pass_worth, which documents the options."""
import argparse
import json
import os
import statistics
import sys
import tempfile

import numpy as np

import zero_model
from training_runs import phantom_run, run_flags, step_seconds

PASSES = ("optimize-exchanges", "merge-gemms", "fuse-epilogues", "fuse-elementwise", "hoist-updates", "elide-copies",
          "overlap-exchanges", "plan-memory")
VARIANTS = ("", *PASSES, ",".join(PASSES))  # what is left out
NAMES = ("nothing", *PASSES, "all of them")
MODELS = {"square": lambda folder, width: zero_model.save_square(folder, width, layers=4), "gated": zero_model.save_gated}
STRATEGIES = {"phantom": 8, "tensor": None}  # ghosts k


def counts(folder, compiled):
    """Of one training step: arena bytes, and its commands by kind."""
    with open(os.path.join(folder, compiled, "program.json")) as file:
        program = json.load(file)
    step, = (function for function in program["functions"] if function["name"] == "train_step")
    number = lambda op: sum(command["op"] == op for command in step["commands"])
    return dict(arena_bytes=step["arena_bytes"], exchanges=number("exchange_start"), kernels=number("kernel"),
                gemms=number("gemm"))


def measure(options, folder, strategy, batch):
    """A row per variant. The variants take turns, so that a slow minute hits all of them."""
    flags = run_flags(strategy, STRATEGIES[strategy], batch)
    folders = [f"{strategy}-{batch}-{i}" for i in range(len(VARIANTS))]
    for left_out, compiled in zip(VARIANTS, folders):
        disabled = ["--disable-pass", left_out] if left_out else []
        phantom_run(options.tools_dir, folder, "compile", "model.onnx", *flags, *disabled, "--commands", "train", "-o", compiled)
    pilot = statistics.median(step_seconds(options.tools_dir, folder, folders[0], [], batch, 3))
    count = int(min(2000, max(3, options.seconds / pilot)))
    times = [[] for _ in VARIANTS]
    for _ in range(options.rounds):
        for seconds, compiled in zip(times, folders):
            seconds += step_seconds(options.tools_dir, folder, compiled, [], batch, count)
    base = statistics.median(times[0])
    return [dict(strategy=strategy, B=batch, left_out=name, step_seconds=statistics.median(seconds), steps=len(seconds),
                 over_all_on=statistics.median(seconds) / base, **counts(folder, compiled))
            for name, seconds, compiled in zip(NAMES, times, folders)]


def show(rows, header):
    if header:
        print(f"{'model':<7} {'n':>5} {'B':>4}  {'strategy':<8} {'left out':<18} {'step':>10} {'step/all on':>11} "
              f"{'arena':>10} {'exchanges':>9} {'kernels':>7} {'GEMMs':>5}")
    for row in rows:
        print(f"{row['model']:<7} {row['n']:>5} {row['B']:>4}  {row['strategy']:<8} {row['left_out']:<18} "
              f"{1e3 * row['step_seconds']:>7.3f} ms {row['over_all_on']:>11.2f} {row['arena_bytes'] / 1024:>6.0f} KiB "
              f"{row['exchanges']:>9} {row['kernels']:>7} {row['gemms']:>5}", flush=True)


def main():
    names = lambda text: text.split(",")
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--models", type=names, default=list(MODELS), help="of square, gated")
    parser.add_argument("--strategies", type=names, default=list(STRATEGIES), help="of phantom, tensor")
    parser.add_argument("--widths", type=numbers, default=[512, 2048])
    parser.add_argument("--batches", type=numbers, default=[64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contestant in one round, about")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    for given, known, what in ((options.models, MODELS, "model"), (options.strategies, STRATEGIES, "strategy")):
        for name in given:
            if name not in known:
                parser.error(f"unknown {what} '{name}'; use some of {', '.join(known)}")
    options.tools_dir = os.path.abspath(options.tools_dir)
    rows = []
    for model in options.models:
        for width in options.widths:
            with tempfile.TemporaryDirectory(prefix="phantom-bench-") as folder:
                MODELS[model](folder, width)
                for batch in options.batches:
                    x = np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32)
                    np.save(os.path.join(folder, f"x{batch}.npy"), x)
                    for strategy in options.strategies:
                        new = [dict(model=model, n=width, **row) for row in measure(options, folder, strategy, batch)]
                        show(new, header=not rows)
                        rows += new
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
