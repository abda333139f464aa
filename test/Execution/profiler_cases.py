# ===- profiler_cases.py - What a profiler sees of a run on GPUs -------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""NVTX ranges, as a profiler that writes them to a file gets them."""
import json
import os
import re

from gpu_cases import example_flags
from harness import Scratch, Skip, check, losses

COMMANDS = {
    "GEMM": r"GEMM \d+x\d+x\d+ \(.+\)",
    "kernel": r"kernel '\w+' \(.+\)",
    "exchange": r"(all-gather|reduce-scatter|all-reduce|all-to-all) '[\w.]+' \(.+\)",
}


def by_thread(path):
    """Of each thread that has any: the names of outer ranges, each with those of the ranges in it."""
    result, depths = {}, {}
    with open(path) as file:
        for thread, name in map(json.loads, file):
            outer, depth = result.setdefault(thread, []), depths.get(thread, 0)
            depths[thread] = depth + (1 if name else -1)
            if name and depth == 0:
                outer.append((name, []))
            elif name:
                check(depth == 1, f"'{name}' is {depth} ranges deep")
                outer[-1][1].append(name)
            check(depths[thread] >= 0, "a range ends that has not begun")
    check(not any(depths.values()), "a range does not end")
    return list(result.values())


def ranges(name, *more):

    def run(options):
        library = os.path.join(options.tools_dir, "PhantomNvtxInjection.so")
        if not os.path.exists(library):
            raise Skip("built without NVTX")
        with Scratch(options) as scratch:
            flags = ["train", *example_flags(name, "phantom", 2), "--steps", 3, "--device", "sim", "--bind", "none", *more]
            plain = scratch.tool("phantom-run", *flags, "--log", "plain.jsonl")
            profiled = scratch.tool("phantom-run", *flags, "--log", "profiled.jsonl",
                                    environment={"NVTX_INJECTION64_PATH": library,
                                                 "PHANTOM_NVTX_FILE": scratch.path("ranges")})
            check(plain.returncode == profiled.returncode == 0, profiled.stderr[-2000:])
            check(losses(scratch.log("plain.jsonl")) == losses(scratch.log("profiled.jsonl")), "other losses")
            threads = by_thread(scratch.path("ranges"))
            check(len(threads) == 2, f"{len(threads)} threads have ranges, and there are 2 ranks")
            for outer in threads:
                check([function for function, _ in outer] == ["train_step"] * 3, f"ranges of {outer}")
                first, second, third = (inner for _, inner in outer)
                for what, pattern in COMMANDS.items():
                    check(any(re.fullmatch(pattern, one) for one in first), f"no {what} in {first}")
                check(all(any(re.fullmatch(pattern, one) for pattern in COMMANDS.values()) for one in first), f"{first}")
                # The second run is captured, command by command; the third one launches what was captured.
                check(first == second, "the second run has other ranges")
                check(third == (first if more else []), f"ranges in the third run: {third}")

    return run


def cases(options):
    yield "profiler/ranges-nccl", ranges("teacher")
    yield "profiler/ranges-loopback", ranges("teacher", "--communicator", "loopback")
