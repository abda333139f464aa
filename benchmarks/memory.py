# ===- memory.py - Peak memory of training beside its prediction ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/memory, which documents the options."""
import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import zero_model

LAYERS, TINY = 4, 64
MIB = 1 << 20
PARTS = {"parameters": "parameters", "optimizer": "optimizer", "activations": "activations",
         "gemm_workspace": "workspace", "windows": "windows"}  # as in summaries and here
RULES = {"sgd": ["--optimizer", "sgd"], "adam": ["--optimizer", "adam"]}
for name, flags in {"clipped": ["--clip-norm", "1"], "accumulated": ["--accumulate", "4"],
                    "recomputed": ["--recompute-activations"]}.items():
    RULES[f"adam-{name}"] = RULES["adam"] + flags


def summary(options, folder, batch, p, strategy, rule):
    """What a short run says about its memory."""
    ghosts = ["--ghost-width", str(options.ghost_width)] if strategy == "phantom" else []
    command = [os.path.join(options.tools_dir, "phantom-run"), "train", "model.onnx", "--strategy", strategy, "--ranks",
               str(p), *ghosts, "--init", "random", "--inputs", "x.npy", "--targets", "x.npy", "--loss", "mse",
               *RULES[rule], "--learning-rate", "0.001", "--batch-size", str(batch), "--steps",
               str(options.steps), "--quiet", "--summary", "summary.json"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"memory: {' '.join(command)} failed:\n{run.stderr}")
    with open(os.path.join(folder, "summary.json")) as file:
        return json.load(file)


def save(folder, width, batch):
    zero_model.save_square(folder, width, LAYERS)
    np.save(os.path.join(folder, "x.npy"), np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32))


def measure(options, folder, width, batch, p, strategy, rule, rest):
    """One row. `rest` has what a process needs that trains a tiny model in the same way."""
    told = summary(options, folder, batch, p, strategy, rule)
    predicted, peak = told["predicted_memory_bytes"], told["peak_memory_bytes"]
    return dict(n=width, B=batch, p=p, strategy=strategy, rule=rule,
                **{name: predicted[part] for part, name in PARTS.items()}, rest=rest,
                predicted=predicted["total"] + rest, peak=peak, ratio=peak / (predicted["total"] + rest))


def at_rest(options, batch, p, strategy, rule):
    with tempfile.TemporaryDirectory(prefix="phantom-memory-") as folder:
        save(folder, TINY, batch)
        told = summary(options, folder, batch, p, strategy, rule)
        return told["peak_memory_bytes"] - told["predicted_memory_bytes"]["total"]


def show(row, header):
    columns = (*PARTS.values(), "rest", "predicted", "peak")
    if header:
        print(f"MiB; n = {TINY} for the process at rest, {LAYERS} layers")
        print(f"{'n':>5} {'B':>5} {'p':>2}  {'strategy':<9} {'rule':<16} " + " ".join(f"{name:>11}" for name in columns)
              + f" {'peak/pred.':>10}")
    print(f"{row['n']:>5} {row['B']:>5} {row['p']:>2}  {row['strategy']:<9} {row['rule']:<16} "
          + " ".join(f"{row[name] / MIB:>11.1f}" for name in columns) + f" {row['ratio']:>10.3f}", flush=True)


def main():
    numbers, words = lambda text: [int(word) for word in text.split(",")], lambda text: text.split(",")
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--widths", type=numbers, default=[1024, 2048])
    parser.add_argument("--ranks", type=numbers, default=[1, 2, 4])
    parser.add_argument("--strategies", type=words, default=["phantom", "tensor"])
    parser.add_argument("--rules", type=words, default=list(RULES), help=f"of {', '.join(RULES)}")
    parser.add_argument("--batches", type=numbers, default=[64, 1024])
    parser.add_argument("--ghost-width", type=int, default=8)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    if unknown := set(options.rules) - set(RULES):
        parser.error(f"--rules: unknown {', '.join(sorted(unknown))}; there are {', '.join(RULES)}")
    options.tools_dir = os.path.abspath(options.tools_dir)
    cases = list(itertools.product(options.batches, options.ranks, options.strategies, options.rules))
    rest = {case: at_rest(options, *case) for case in cases}
    rows = []
    for width in options.widths:
        with tempfile.TemporaryDirectory(prefix="phantom-memory-") as folder:
            save(folder, width, max(options.batches))
            for case in cases:
                rows.append(measure(options, folder, width, *case, rest[case]))
                show(rows[-1], header=len(rows) == 1)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
