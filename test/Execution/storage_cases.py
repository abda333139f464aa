# ===- storage_cases.py - Large models ------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Models whose weights are larger than the memory that importing them takes. Their files are sparse: this is quick."""
import json
import os
import subprocess
import sys

from harness import EXAMPLES, Scratch, check

MAKE_MODEL = os.path.join(os.path.dirname(EXAMPLES), "scripts", "make_large_model.py")
MOST_MEMORY, MOST_TEXT = 500 * 10**6, 100 * 10**3

# Runs a command as the only child of a process, and prints the child's seconds and peak memory.
MEASURE = """
import json, resource, subprocess, sys, time
start = time.monotonic()
process = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(json.dumps({"seconds": time.monotonic() - start, "code": process.returncode, "errors": process.stderr,
                  "bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024}))
"""


def measured(scratch, tool, *arguments):
    command = [os.path.join(scratch.options.tools_dir, tool), *arguments]
    process = subprocess.run([sys.executable, "-c", MEASURE, *command], cwd=scratch.folder, capture_output=True,
                             text=True)
    result = json.loads(process.stdout)
    check(result["code"] == 0, f"{' '.join(command)}: {result['errors']}")
    return result


def large(gigabytes, kind):

    def run(options):
        with Scratch(options) as scratch:
            command = [sys.executable, MAKE_MODEL, scratch.folder, "--gigabytes", str(gigabytes), "--type", kind]
            made = subprocess.run(command, capture_output=True, text=True)
            check(made.returncode == 0, made.stderr)
            result = measured(scratch, "phantom-translate", "--import-onnx", "large.onnx", "-o", "large.mlir")
            text = os.path.getsize(scratch.path("large.mlir"))
            print(f"  {made.stdout.strip()} ({kind}): imported in {result['seconds']:.2f} s, "
                  f"{result['bytes'] / 10**6:.0f} MB at most, {text / 10**3:.1f} kB of IR", flush=True)
            check(result["bytes"] < MOST_MEMORY, f"{result['bytes'] / 10**6:.0f} MB of memory")
            check(text < MOST_TEXT, f"{text} bytes of IR")

    return run


def cases(options):
    if not options.sanitize:
        yield "storage/float-3gb", large(3, "float")
        yield "storage/bfloat16", large(0.5, "bfloat16")  # converted: 1 GB is written
