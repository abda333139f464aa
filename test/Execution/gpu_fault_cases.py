# ===- gpu_fault_cases.py - What a run on GPUs does when they fail -----=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Faults of the double of GPUs: the process ends with 1 and one error that names the rank, its GPU and the place, and no
file is half written."""
import json
import os
import re
import time

from error_cases import bad_flags
from gpu_cases import EXAMPLE_FLAGS, example_flags
from harness import Scratch, check

TIMEOUT = 2
# Beside the deadline itself: the rest of the run, on a busy machine.
SECONDS = 40
EXCHANGE = r"(all-gather|reduce-scatter|all-reduce|all-to-all) '[^']+' \([^)]+\)"
FUNCTION = "of '(gradients|train_step|evaluate|infer)'"
IN_STEP = rf"({EXCHANGE}|{FUNCTION}|starting the kernel '[^']+' \([^)]+\)|GEMM \w+ \([^)]+\))"
ALLOCATION = r"allocating \d+ bytes of GPU memory for [a-z0-9' _]+: (cudaErrorMemoryAllocation|NCCL says)"
BEFORE = b"what was there before"


def train(scratch, flags, steps, faults, timeout=60):
    more = ["--sim-faults", faults] if faults else []
    return scratch.tool("phantom-run", "train", *flags, "--steps", steps, "--device", "sim", "--timeout", timeout,
                        "--bind", "none", "--log", "log.jsonl", "--save", "p.safetensors", "--summary", "s.json", *more)


def check_error(process, faults, place):
    shown = f"{faults}: exit {process.returncode}, stderr:\n{process.stderr[-2000:]}"
    check(process.returncode == 1, shown)
    lines = process.stderr.splitlines()
    check(len(lines) == 1, f"more than one message: {shown}")
    error = re.match(r"phantom-run: error: rank (\d+) \(GPU (\d+)\): (.*)", lines[0])
    check(error and error[1] == error[2], f"names no rank and GPU: {shown}")
    check(re.search(place, error[3]), f"does not match '{place}': {shown}")


def check_files(scratch, faults):
    """Saved files are as they were before, or new as a whole; of the log there are whole lines."""
    for name in ("p.safetensors", "s.json"):
        with open(scratch.path(name), "rb") as file:
            check(file.read() == BEFORE, f"{faults}: wrote {name}")
    others = set(os.listdir(scratch.folder)) - {"p.safetensors", "s.json", "log.jsonl"}
    check(not others, f"{faults}: left behind {sorted(others)}")
    if os.path.exists(scratch.path("log.jsonl")):
        with open(scratch.path("log.jsonl")) as file:
            text = file.read()
        check(text == "" or text.endswith("\n"), f"{faults}: the log ends within a line")
        for line in text.splitlines():
            json.loads(line)


def fails(scratch, flags, steps, faults, place):
    """Whether the run failed, as it should; else the fault has found nothing to spoil."""
    for name in ("p.safetensors", "s.json"):
        with open(scratch.path(name), "wb") as file:
            file.write(BEFORE)
    begin = time.monotonic()
    waits = faults.startswith("dead-rank")
    process = train(scratch, flags, steps, faults, TIMEOUT if waits else 60)
    if process.returncode == 0:
        return False
    check_error(process, faults, place)
    check_files(scratch, faults)
    seconds = time.monotonic() - begin
    check(not waits or seconds < TIMEOUT + SECONDS or scratch.options.sanitize, f"{faults}: ended after {seconds:.0f} s")
    return True


def ends(name, strategy, ranks, faults):
    """Each of the faults ends the run; `faults`: with the number of steps and what the error says."""

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags(name, strategy, ranks)
            for fault, steps, place in faults:
                check(fails(scratch, flags, steps, fault, place), f"{fault}: the run did not fail")

    return run


def ends_without_memory(name, strategy, ranks):
    """Whichever allocation fails, until none is left to fail."""

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags(name, strategy, ranks)
            number, stride = 1, 1 if options.full or ranks == 2 else 5
            while fails(scratch, flags, 1, f"failed-allocation={number}", ALLOCATION):
                number += stride
            # At least the parameters, and what a function needs, of each rank.
            check(number > 4 * ranks, f"allocation {number} does not fail")

    return run


def slow_rank_changes_nothing(name, strategy, ranks):

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags(name, strategy, ranks)
            contents = []
            for faults in ("", f"slow-rank={ranks - 1}@2:3000,slow-rank=0@7"):
                process = train(scratch, flags, 2, faults)
                check(process.returncode == 0, f"exit {process.returncode}: {process.stderr[-2000:]}")
                with open(scratch.path("p.safetensors"), "rb") as file:
                    contents.append((file.read(), [line["loss"] for line in scratch.log() if "loss" in line]))
            check(contents[0] == contents[1], "a slow rank changes results")

    return run


def no_output(options):
    """An output that would be wrong is not written."""
    with Scratch(options) as scratch:
        folder = os.path.dirname(example_flags("digits", "tensor", 2)[0])
        for command, more in (("infer", ["--outputs", "y.npy"]),
                              ("eval", ["--targets", os.path.join(folder, "train_labels.npy")])):
            process = scratch.tool("phantom-run", command, os.path.join(folder, "digits.onnx"), "--strategy", "tensor",
                                   "--ranks", 2, "--inputs", os.path.join(folder, "train_images.npy"), *more, "--device",
                                   "sim", "--bind", "none", "--sim-faults", "failed-kernel=3")
            check_error(process, command, IN_STEP)
            check(not process.stdout and not os.listdir(scratch.folder), f"{command} wrote something")


def cases(options):
    waited = f"waited {TIMEOUT}.*s for "
    faults = {
        "dead-rank": [("dead-rank=1@0", 1, waited + "the other ranks to join"), ("dead-rank=1@1", 1, waited + f".*{EXCHANGE}"),
                      ("dead-rank=0@3", 1, waited + f".*{EXCHANGE}"), ("dead-rank=1@24", 8, waited + ".*'train_step'")],
        "async-error": [("async-error=1@1", 1, f"{EXCHANGE}.*NCCL says 'ncclRemoteError'"),
                        ("async-error=0@3", 1, f"{EXCHANGE}.*NCCL says 'ncclRemoteError'"),
                        ("async-error=1@24", 8, f"{IN_STEP}.*NCCL says 'ncclRemoteError'")],
        "failed-launch": [(f"failed-kernel={n}", 1, IN_STEP) for n in (1, 2, 5, 9)]
                         + [("failed-call=cudaLaunchKernel@3", 1, r"starting the kernel '\w+' \([^)]+\): cudaErrorInvalidValue"),
                            ("failed-call=cublasLtMatmul@2", 1, r"GEMM \w+ \([^)]+\): CUBLAS_STATUS")],
    }
    for name in EXAMPLE_FLAGS:
        for strategy in ("phantom", "tensor"):
            for ranks in (2, 4):
                case = f"{name}-{strategy}-p{ranks}"
                for kind, list_of in faults.items():
                    yield f"gpu-faults/{kind}-{case}", ends(name, strategy, ranks, list_of)
                yield f"gpu-faults/failed-allocation-{case}", ends_without_memory(name, strategy, ranks)
                yield f"gpu-faults/slow-rank-{case}", slow_rank_changes_nothing(name, strategy, ranks)
    yield "gpu-faults/no-output", no_output
    for faults, device, words in (("dead-rank=4@1", "sim", "is no fault of a run on 4 ranks"),
                                  ("dead-rank=1", "sim", "dead-rank=R@N"), ("slow-rank=1@2:0", "sim", "slow-rank=R@N"),
                                  ("failed-kernel=0", "sim", "failed-kernel=N"), ("failed-call=cudaMalloc", "sim", "ENTRY@N"),
                                  ("failed-call=cudaMallok@1", "sim", "there is no entry point 'cudaMallok'"),
                                  ("flood=1", "sim", "'flood=1' is no fault"),
                                  ("failed-kernel=1", "cpu", "only for --device sim")):
        yield f"gpu-faults/flag-{device}-{faults}", bad_flags([words], device=device, sim_faults=faults)
    yield "gpu-faults/flag-loopback", bad_flags(["not with --communicator loopback"], device="sim", communicator="loopback",
                                                sim_faults="dead-rank=1@1")
