# ===- run.py - ONNX's own test data --------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Runs ONNX's test cases through import and phantom-run infer, and compares with ONNX's tolerances.

The cases are Debian's libonnx-testdata (kinds node, simple, pytorch-converted, pytorch-operator) and, with
--with-onnx-from-pypi, those that the newest onnx package generates for node tests. Every case is run, or left out with a
reason that is computed from its model (cases.py) or stated in left_out.txt. Ends with "N passed, N failed, N skipped".
"""
import argparse
import collections
import concurrent.futures
import glob
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import cases

DEBIAN = "/usr/share/libonnx-testdata/data"
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
RTOL, ATOL = 1e-3, 1e-7  # as ONNX's backend test runner
HERE = os.path.dirname(os.path.abspath(__file__))


def left_out():
    """Case name -> why, of left_out.txt: 'name: why' lines."""
    reasons = {}
    with open(os.path.join(HERE, "left_out.txt")) as file:
        for line in file:
            name, colon, reason = line.partition(":")
            if colon and not line.startswith("#"):
                reasons[name.strip()] = reason.strip()
    return reasons


def compare(name, actual, expected):
    """Nothing, or what differs."""
    if expected.dtype == np.float16:  # a type that values are stored in; computed in f32
        expected = expected.astype(np.float32)
    if actual.dtype != expected.dtype:
        return f"output {name}: {actual.dtype}, expected {expected.dtype}"
    if actual.shape != expected.shape:
        return f"output {name}: shape {actual.shape}, expected {expected.shape}"
    try:
        np.testing.assert_allclose(actual, expected, rtol=RTOL, atol=ATOL)
    except AssertionError as error:
        return f"output {name}: " + " ".join(str(error).split())[:300]
    return None


def run_data_set(tool, case, inputs, outputs, folder):
    """Nothing, or what is wrong."""
    flags = collections.defaultdict(list)
    for number, (name, value) in enumerate(inputs.items()):
        path = os.path.join(folder, f"input_{number}.npy")
        np.save(path, value)
        flags["--constants" if name in case.constants else "--inputs"].append(f"{name}={path}")
    files = {name: os.path.join(folder, f"output_{number}.npy") for number, name in enumerate(outputs)}
    flags["--outputs"] = [f"{name}={path}" for name, path in files.items()]
    command = [tool, "infer", case.path, "--bind", "none"]
    for flag, values in flags.items():
        command += [flag, ",".join(values)]
    try:
        process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                 timeout=300)
    except subprocess.TimeoutExpired:
        return "no end after 300 s"
    if process.returncode:
        return f"exit {process.returncode}: {process.stderr.strip()[-400:]}"
    return next(filter(None, (compare(name, np.load(files[name]), outputs[name]) for name in outputs)), None)


def run_case(tool, case):
    for inputs, outputs in case.data_sets():
        folder = tempfile.mkdtemp(prefix="phantom-onnx-")
        try:
            wrong = run_data_set(tool, case, inputs, outputs, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if wrong:
            return wrong
    return None


def generate(folder):
    """Node cases of the newest onnx on PyPI, made by its own tool; returns their folder."""
    environment, data = os.path.join(folder, "venv"), os.path.join(folder, "data")
    python = os.path.join(environment, "bin", "python")
    if not os.path.isdir(data):
        subprocess.check_call([sys.executable, "-m", "venv", environment])
        subprocess.check_call([python, "-m", "pip", "install", "--quiet", "onnx", "pillow"])
        subprocess.check_call([python, "-m", "onnx.backend.test.cmd_tools", "generate-data", "--clean", "-o",
                               data + ".partial"], stdout=subprocess.DEVNULL)
        os.rename(data + ".partial", data)
    return data


def find(roots, only):
    found = []
    for label, root in roots:
        for kind in KINDS:
            for path in sorted(glob.glob(os.path.join(root, kind, "*", "model.onnx"))):
                name = f"{label}{kind}/{os.path.basename(os.path.dirname(path))}"
                if all(text in name for text in only):
                    found.append((name, path))
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--only", action="append", default=[], help="text that a case's name must contain")
    parser.add_argument("--with-onnx-from-pypi", metavar="DIR",
                        help="also run the cases of the newest onnx on PyPI, generated into DIR")
    parser.add_argument("--quiet", action="store_true", help="do not list the cases that were left out")
    options = parser.parse_args()
    if not os.path.isdir(DEBIAN):
        print(f"{DEBIAN} does not exist: install the package libonnx-testdata")
        print("0 passed, 1 failed")
        return 1
    roots = [("", DEBIAN)]
    if options.with_onnx_from_pypi:
        roots.append(("pypi/", generate(os.path.abspath(options.with_onnx_from_pypi))))

    reasons, run = left_out(), []
    skipped = {}
    for name, path in find(roots, options.only):
        case = cases.Case(name, path)
        reason = case.reason() or reasons.get(name)
        if reason:
            skipped[name] = reason
        else:
            run.append(case)
    tool = os.path.join(options.tools_dir, "phantom-run")
    failures = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case, wrong in zip(run, pool.map(lambda c: run_case(tool, c), run)):
            if wrong:
                failures[case.name] = wrong
    if not options.quiet:
        for name, reason in sorted(skipped.items(), key=lambda item: (item[1], item[0])):
            print(f"left out: {name}: {reason}")
    for name, wrong in failures.items():
        print(f"FAILED: {name}: {wrong}")
    expanded = sum("_expanded" in case.name for case in run)
    print(f"ONNX test data: run {len(run)} ({expanded} of them expanded functions), passed {len(run) - len(failures)}, "
          f"failed {len(failures)}, left out {len(skipped)}")
    print(f"{len(run) - len(failures)} passed, {len(failures)} failed, {len(skipped)} skipped")
    return 1 if failures or not run else 0


if __name__ == "__main__":
    sys.exit(main())
