# ===- conformance.py - The execution tests on other devices --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""run.py --device D --communicator C: what the cases run on the CPU, and compare with NumPy, runs on that device instead."""
import fnmatch

COMMUNICATORS = {"cpu": ("threads",), "sim": ("sim", "loopback"), "cuda": ("nccl", "loopback")}

# What a device must compute; all else is about tools, files and messages.
SUITE = ("accumulation/*", "clipping/*", "determinism/*", "digits/*", "dropout/*", "encoding/*", "evaluation/*", "grid/*",
         "groups/*", "identity/*", "label-smoothing/*", "normalize/*", "optimizer/*", "precision/*", "reference/*", "strategy/*",
         "switch/*", "teacher/*", "transformer/*")

# (device, communicator, case, why it is left out there)
SKIPS = (
    ("sim", "*", "teacher/*", "thousands of steps take too long on the double"),
    ("sim", "*", "digits/*", "thousands of steps take too long on the double"),
    ("sim", "*", "*/examples-*", "thousands of steps take too long on the double"),
)

# Flags that other devices refuse, with the value where only that one is refused.
OF_CPUS = {"--gemm": None, "--threads-per-rank": None, "--precision": "f64"}


def why_not(options, name):
    """Why the case is not part of the suite of this device; None: it is."""
    for device, communicator, pattern, reason in SKIPS:
        if (fnmatch.fnmatch(options.device, device) and fnmatch.fnmatch(options.communicator, communicator)
                and fnmatch.fnmatch(name, pattern)):
            return reason
    return None


def is_in_suite(name):
    return any(fnmatch.fnmatch(name, pattern) for pattern in SUITE)


def on_device(options, arguments):
    """(the arguments of phantom-run on that device, None), or (None, why they have none)."""
    words = list(map(str, arguments))
    if words[0] not in ("train", "eval", "infer") or "--device" in words:
        return words, None
    for flag, refused in OF_CPUS.items():
        if flag in words and refused in (None, words[words.index(flag) + 1]):
            return None, f"{flag} is for CPUs"
    ranks = int(words[words.index("--ranks") + 1]) if "--ranks" in words else 1
    if options.communicator == "nccl" and ranks > options.gpus:
        return None, f"{ranks} ranks need as many GPUs, and there are {options.gpus}"
    return [*words, "--device", options.device, "--communicator", options.communicator], None
