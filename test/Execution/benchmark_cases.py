# ===- benchmark_cases.py - The benchmarks still run -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The benchmarks that need nothing but the build, for a moment each: every row is there, and no time is tested."""
import json
import os
import subprocess
import sys

from harness import EXAMPLES, Scratch, Skip, check

BENCHMARKS = os.path.join(os.path.dirname(EXAMPLES), "benchmarks")
SMALL = ("--widths", "32", "--batches", "8")
GHOSTS = ("--ghost-widths", "2")
SHORT = ("--rounds", "1", "--seconds", "0.001")


def run_benchmark(options, name, *arguments):
    if options.sanitize:
        raise Skip("instrumented code is too slow for it")
    run = subprocess.run([sys.executable, os.path.join(BENCHMARKS, f"{name}.py"), "--tools-dir", options.tools_dir, *arguments],
                         capture_output=True, text=True)
    check(run.returncode == 0, run.stderr[-2000:])
    return run.stdout


def table_of(options, name, *arguments):
    with Scratch(options) as scratch:
        run_benchmark(options, name, *arguments, "--json", scratch.path("rows.json"))
        with open(scratch.path("rows.json")) as file:
            return json.load(file)


def rows(name, count, *arguments):
    """`count` rows, in all of which all numbers are finite and none is below zero."""

    def run(options):
        table = table_of(options, name, *arguments)
        check(len(table) == count, f"{len(table)} rows")
        for row in table:
            numbers = [value for value in row.values() if isinstance(value, (int, float))]
            check(all(0 <= value < float("inf") for value in numbers), f"{row}")

    return run


def step_time(options):
    table = table_of(options, "step_time", *SMALL, *GHOSTS, *SHORT)
    check([row["strategy"] for row in table] == ["phantom", "tensor", "megatron"], f"{table}")
    for row in table:
        for part in ("update_seconds", "bare_gemm_seconds"):
            check(0 < row[part], f"{part} of {row}")


def gemm_table(options):
    lines = run_benchmark(options, "gemm_kernels", *SMALL, *GHOSTS, "--seconds", "0.001", "--table", "Avx2").splitlines()
    check(lines, "no lines")
    for line in lines:
        check(line.startswith("GEMM(Avx2, ") and line.endswith(")") and line.count(",") == 5, line)


def cases(options):
    return [("benchmarks/step-time", step_time),
            ("benchmarks/gemm-kernels", gemm_table),
            ("benchmarks/pass-worth", rows("pass_worth", 10, "--models", "square", "--strategies", "phantom", *SMALL, *SHORT)),
            ("benchmarks/memory", rows("memory", 2, *SMALL, "--ranks", "2", "--rules", "sgd", "--steps", "2", "--ghost-width", "2")),
            ("benchmarks/compile-time", rows("compile_time", 2, "--layers", "2", "--ranks", "2", "--rounds", "1"))]
