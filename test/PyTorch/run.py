# ===- run.py - Compares exported PyTorch models with PyTorch ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: run.py --tools-dir DIR [--jobs N] [--only TEXT] [--python PYTHON] [--models DIR]

Exports the modules of networks.py with both exporters of PyTorch and runs the files: outputs equal to PyTorch's to
1e-5 of the largest (bfloat16 models to 2e-2, the rounding of that type over a few layers), and for feed-forward nets
ten training losses to 1e-4, on one rank and divided over two. PYTHON has torch, onnx and onnxscript; `scripts/test
--with-pytorch` installs them into the build folder. Left out, with the reason: what PyTorch itself cannot export, and models
with operators that the importer lists as unsupported. The last line is "N passed, N failed, N skipped".
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Execution"))

import harness
import numpy as np

FORWARD, FORWARD_BF16, LOSSES = 1e-5, 2e-2, 1e-4
BATCH, STEPS, LEARNING_RATE = 4, 10, 0.05
# How a model runs: as it is, and in two parts that compute the same.
STRATEGIES = {"one": [], "tensor": ["--strategy", "tensor", "--ranks", 2],
              "megatron": ["--strategy", "megatron", "--ranks", 2]}


def run_case(options, folder, name, strategy):
    expected = np.load(os.path.join(folder, name + ".npz"))
    model = os.path.join(folder, name + ".onnx")
    bf16 = name.endswith("-bf16")
    with harness.Scratch(options) as scratch:
        scratch.save("x.npy", expected["x"])
        process = scratch.tool("phantom-translate", "--import-onnx", model, "-o", "model.mlir")
        harness.check(process.returncode == 0, process.stderr.strip())
        if bf16:  # the runtime reads narrow types only where a tensor says what it holds
            model = "model.mlir"
        scratch.run("infer", model, *STRATEGIES[strategy], "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
        harness.check_close("outputs", np.load(scratch.path("y.npy")), expected["y"], FORWARD_BF16 if bf16 else FORWARD)
        if "losses" in expected:
            scratch.save("t.npy", expected["target"])
            scratch.run("train", model, *STRATEGIES[strategy],
                        *harness.train_flags(BATCH, "mse", learning_rate=LEARNING_RATE, count=STEPS))
            actual, wanted = np.array(harness.losses(scratch.log())), expected["losses"]
            harness.check(actual.shape == wanted.shape, f"{actual.size} losses")
            error = np.max(np.abs(actual - wanted) / wanted)
            harness.check(error <= LOSSES, f"losses differ by {error:.3g}: {actual} and {wanted}")


def unsupported(failure):
    """What the importer says of operators that it does not know; None if it failed otherwise."""
    found = re.search(r"the model has \d+ operators? that this version cannot import: (.*)", failure)
    names = re.findall(r"'([\w.]+)' \(unsupported", found.group(1)) if found else []
    return ", ".join(names) or None


def attempt(*arguments):
    """(None, "passed"), or what is to be said and whether the case failed or was left out."""
    try:
        run_case(*arguments)
        return None, "passed"
    except harness.Failure as failure:
        operators = unsupported(str(failure))
        return (str(failure), "failed") if operators is None else (f"operators {operators}", "skipped")
    except Exception:
        return traceback.format_exc(), "failed"


def cases(folder, only):
    """(model, strategy): all models on one rank; the plain f32 ones in parts, too."""
    for file in sorted(os.listdir(folder)):
        name, kind = os.path.splitext(file)
        if kind != ".npz" or only not in name:
            continue
        yield name, "one"
        if name.endswith("-static-f32"):
            yield name, "tensor"
            yield name, "megatron"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="run the models whose name contains this")
    parser.add_argument("--python", help="default: venv-pytorch/bin/python beside the tools' folder")
    parser.add_argument("--models", help="already exported models")
    parser.add_argument("--sanitize", default="")
    arguments = parser.parse_args()
    options = harness.Options(os.path.abspath(arguments.tools_dir), arguments.sanitize)
    build = os.path.dirname(options.tools_dir)
    folder = arguments.models or os.path.join(build, "pytorch-models")
    start = time.monotonic()
    if not arguments.models:
        python = arguments.python or os.path.join(build, "venv-pytorch", "bin", "python")
        if not os.path.exists(python):
            print(f"no {python}: run scripts/test --with-pytorch once, or give --python")
            print("0 passed, 1 failed")
            return 1
        subprocess.run([python, os.path.join(HERE, "export.py"), "--output", folder, "--only", arguments.only], check=True)
        print(f"exported in {time.monotonic() - start:.0f} s")
    with open(os.path.join(folder, "skipped.json")) as file:
        skipped = json.load(file)
    chosen = list(cases(folder, arguments.only))
    counts = {"passed": 0, "failed": 0, "skipped": len(skipped)}
    left_out = dict(skipped)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [(case, pool.submit(attempt, options, folder, *case)) for case in chosen]
        for case, future in futures:
            text, outcome = future.result()
            counts[outcome] += 1
            if outcome == "failed":
                print(f"FAIL: {' '.join(case)}\n  {text}", flush=True)
            elif outcome == "skipped":
                left_out[" ".join(case)] = text
    for name, reason in left_out.items():
        print(f"left out: {name}: {reason}")
    print(f"{len(chosen)} cases in {time.monotonic() - start:.0f} s")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
