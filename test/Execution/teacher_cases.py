# ===- teacher_cases.py - The table of the teacher example ----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import json
import os
import subprocess
import sys

from harness import EXAMPLES, Scratch, check


def table(options):
    """Every row is there, costs as the ghosts say, and the controls have the parameters of phantom k=8."""
    with Scratch(options) as scratch:
        command = [sys.executable, os.path.join(EXAMPLES, "teacher", "compare.py"), "--tools-dir", options.tools_dir,
                   "--steps", "40", "--eval-every", "20", "--seeds", "0,1", "--target", "10", "--json",
                   scratch.path("rows.json")]
        process = subprocess.run(command, capture_output=True, text=True)
        check(process.returncode == 0, process.stderr[-2000:])
        with open(scratch.path("rows.json")) as file:
            rows = {row["name"]: row for row in json.load(file)}
        phantom = [rows[f"phantom k={k}"] for k in (0, 1, 2, 4, 8, 16)]
        for cost in ("parameters", "flops", "bytes"):
            values = [row[cost] for row in phantom]
            check(values == sorted(set(values)), f"{cost}: {values} do not grow with the ghosts")
        check(rows["tensor"]["parameters"] == rows["megatron"]["parameters"], "other dense models")
        for name in ("low rank 24, p=1", "dense 56, p=1"):
            difference = rows[name]["parameters"] / rows["phantom k=8"]["parameters"] - 1
            check(abs(difference) < 0.01, f"{name} has {difference:+.1%} parameters")
        check(all(row["least"] <= row["loss"] <= row["most"] for row in rows.values()), f"losses: {rows}")
        check(all(row["steps"] == 20 and row["joules"] > 0 for row in rows.values()), f"any loss is below 10: {rows}")


def cases(options):
    yield "teacher/table", table
