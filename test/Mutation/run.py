# ===- run.py - The mutation gate on the examples ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: run.py --tools-dir DIR [--jobs N] [--sanitize KIND]

Mutates the training steps of the examples for GPUs, and prints what notices the mutants. A gate that does not look at what the
double of GPUs reports must fail. The last line is "N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "examples")
LOSSES = {"teacher": "mse", "digits": "cross-entropy"}
# (flags, whether the gate must pass)
CASES = [([os.path.join(EXAMPLES, name, f"{name}.onnx"), "--loss", loss, "--strategy", strategy, "--ranks", ranks], True)
         for name, loss in LOSSES.items() for strategy in ("phantom", "tensor", "megatron")
         for ranks in (("2", "4") if name == "teacher" else ("2",))]
CASES.append(([os.path.join(EXAMPLES, "teacher", "teacher.onnx"), "--blind"], False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--sanitize", default="")
    options = parser.parse_args()
    gate = os.path.join(options.tools_dir, "phantom-mutation-gate")

    def run(case):
        flags, _ = case
        return subprocess.run([gate, *flags], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")

    passed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for (flags, must_pass), process in zip(CASES, pool.map(run, CASES)):
            right = process.returncode == (0 if must_pass else 1)
            passed += right
            print(f"{'PASS' if right else 'FAIL'}: {os.path.basename(flags[0])} {' '.join(flags[1:])}")
            print((process.stdout if must_pass else process.stdout.splitlines()[-1] + "\n") + process.stderr, end="",
                  flush=True)
    print(f"{passed} passed, {len(CASES) - passed} failed")
    return passed != len(CASES)


if __name__ == "__main__":
    sys.exit(main())
