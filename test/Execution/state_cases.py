# ===- state_cases.py - What SIGUSR1 shows ---------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""A run that is asked for its state shows it on standard error, and ends with the same bits."""
import os
import re
import signal
import subprocess
import time

from checkpoint_cases import read
from harness import check, prepared, strategy_flags, without_times
from reference import Network

NETWORK = Network([64] * 6, "gelu", True, 2, 4, frozenset([2, 3, 4]))
STEPS = 3000
HEADER = re.compile(rf"^phantom-run: (step|evaluation after step) \d+( of {STEPS})?, since \d+\.\d+ s; "
                    r"(loss of the last step [0-9.e+-]+|no step is done yet)$")
RANK = re.compile(r"^  rank ([01]): (between two runs|(in 'train_step': )?(gemm \d+x\d+x\d+|kernel \w+|exchange (start|wait) \S+|"
                  r"waits for the .*; ranks that have not come: [01]).*|waits for the barrier .*)$")


def is_ready(pid):
    """Whether the process ignores or takes the signal: it would end one that has only been started."""
    with open(f"/proc/{pid}/status") as file:
        masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigIgn", "SigCgt"))]
    return any(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks)


def asked(options):
    with prepared(options, NETWORK) as (scratch, *_):
        train = ["train", "model.onnx", *strategy_flags(NETWORK, "phantom"), "--loss", "mse", "--inputs", "x.npy", "--targets",
                 "t.npy", "--batch-size", "8", "--learning-rate", "0.001", "--steps", str(STEPS), "--quiet", "--bind", "none"]
        scratch.run(*train, "--log", "plain.jsonl", "--save", "plain.safetensors")
        tool = os.path.join(options.tools_dir, "phantom-run")
        with open(scratch.path("errors"), "w") as errors:
            process = subprocess.Popen([tool, *map(str, train), "--log", "log.jsonl", "--save", "asked.safetensors"],
                                       cwd=scratch.folder, stdout=subprocess.DEVNULL, stderr=errors)
        # Also before there is a run, and after it.
        end = time.monotonic() + (600 if options.sanitize else 120)
        while process.poll() is None and time.monotonic() < end:
            if is_ready(process.pid):
                process.send_signal(signal.SIGUSR1)
            time.sleep(0.005)
        process.kill()
        errors = read(scratch, "errors").decode()
        check(process.wait() == 0, f"exit {process.returncode}: {errors[-2000:]}")
        check(read(scratch, "plain.safetensors") == read(scratch, "asked.safetensors"), "the parameters differ")
        check(without_times(scratch.log("plain.jsonl")) == without_times(scratch.log()), "the logs differ")
        lines = errors.splitlines()
        check(len(lines) % 3 == 0 and len(lines) >= 3, f"{len(lines)} lines")
        for header, zero, one in zip(lines[::3], lines[1::3], lines[2::3]):
            check(HEADER.match(header), f"the state begins with {header!r}")
            ranks = [RANK.match(line) for line in (zero, one)]
            check(all(ranks) and [rank[1] for rank in ranks] == ["0", "1"], f"the ranks' lines are {zero!r}, {one!r}")
        check(any("in 'train_step': " in line for line in lines), "no rank was ever in a command")
        check(any("loss of the last step" in line for line in lines), "no loss was ever shown")


def cases(options):
    yield "state/asked", asked
