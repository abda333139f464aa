# ===- run.py - ONNX's own test data --------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Runs ONNX's test cases through import and phantom-run infer, and compares with ONNX's tolerances.

The cases are Debian's libonnx-testdata (kinds node, simple, pytorch-converted, pytorch-operator) and, with
--with-onnx-from-pypi, those that the newest onnx package generates, also in older opsets (kind versions). Its versions
of the operators are then compared with the importer's table, and each from opset 6 on must have a case that is run.
Every case is run, or left out with a reason that is computed from its model (cases.py) or stated in left_out.txt. Ends
with "N passed, N failed, N skipped".
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

import cases

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

from newest_onnx import python_with_onnx
from restamp import version_in

DEBIAN = "/usr/share/libonnx-testdata/data"
VERSIONS, TESTED = "pypi/operator-versions", "pypi/tested-versions"
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "versions")
RTOL, RTOL_BFLOAT16, ATOL = 1e-3, 2**-6, 1e-7  # as ONNX's backend test runner


def left_out():
    """Case name -> why, of left_out.txt: 'name: why' lines."""
    reasons = {}
    with open(os.path.join(HERE, "left_out.txt")) as file:
        for line in file:
            name, colon, reason = line.partition(":")
            if colon and not line.startswith("#"):
                reasons[name.strip()] = reason.strip()
    return reasons


def compare(name, actual, expected, rtol):
    """Nothing, or what differs."""
    if expected.dtype == np.float16:  # a type that values are stored in; computed in f32
        expected = expected.astype(np.float32)
    if actual.dtype != expected.dtype:
        return f"output {name}: {actual.dtype}, expected {expected.dtype}"
    if actual.shape != expected.shape:
        return f"output {name}: shape {actual.shape}, expected {expected.shape}"
    try:
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=ATOL)
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
    command = [tool, "infer", case.model_file(folder), "--bind", "none"]
    for flag, values in flags.items():
        command += [flag, ",".join(values)]
    try:
        process = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                 timeout=300)
    except subprocess.TimeoutExpired:
        return "no end after 300 s"
    if process.returncode:
        return f"exit {process.returncode}: {process.stderr.strip()[-400:]}"
    wrong = (compare(name, np.load(files[name]), value, RTOL_BFLOAT16 if name in case.bfloat16 else RTOL)
             for name, value in outputs.items())
    return next(filter(None, wrong), None)


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


def generate(folder, python, version):
    """The folder with the cases of the newest onnx, which its virtual environment makes once."""
    data = os.path.join(os.path.abspath(folder), f"cases-{version}")
    if not os.path.isdir(data):
        shutil.rmtree(data + ".partial", ignore_errors=True)
        subprocess.run([python, "-W", "ignore", os.path.join(HERE, "generate.py"), data + ".partial"], check=True)
        os.rename(data + ".partial", data)
    return data


def compare_versions(tools_dir, python):
    """Nothing, or which rows of the importer's table do not fit the operators of the newest onnx."""
    table = subprocess.run([os.path.join(tools_dir, "phantom-translate"), "--list-onnx-operators"],
                           capture_output=True, text=True, timeout=300)
    process = subprocess.run([python, os.path.join(HERE, "versions.py")], input=table.stdout, capture_output=True,
                             text=True, timeout=300)
    return process.stdout + process.stderr if process.returncode else None


def untested_versions(run, python):
    """Nothing, or the versions of operators, of those that the importer promises, that no case has."""
    listed = subprocess.run([python, os.path.join(HERE, "versions.py"), "--list"], check=True, capture_output=True,
                            text=True, timeout=300)
    versions, tested = json.loads(listed.stdout), set()
    for case in run:
        opset = next((entry.version for entry in case.model.opset_import if entry.domain in ("", "ai.onnx")), 0)
        tested |= {(node.op_type, version_in(versions[node.op_type], opset)) for node in case.model.graph.node}
    missing = [f"{op} {version}" for op in sorted(cases.OPERATORS) for version in versions[op]
               if (op, version) not in tested]
    return "no case is run for " + ", ".join(missing) if missing else None


def find(roots, only):
    found = []
    for label, root in roots:
        for kind in KINDS:
            for path in sorted(glob.glob(os.path.join(root, kind, "*", "model.onnx"))):
                name = f"{label}{kind}/{os.path.basename(os.path.dirname(path))}"
                if all(text in name for text in only):
                    found.append((name, path))
    return found


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--only", action="append", default=[], help="text that a case's name must contain")
    parser.add_argument("--with-onnx-from-pypi", metavar="VENV",
                        help="also run the cases of the newest onnx, in this virtual environment, made if need be")
    parser.add_argument("--quiet", action="store_true", help="do not list the cases that were left out")
    return parser.parse_args()


def sort_out(found):
    """(the cases to run, why the others are not: by name)"""
    reasons, run, skipped = left_out(), [], {}
    for name, path in found:
        case = cases.Case(name, path)
        reason = case.reason() or reasons.get(name)
        if reason:
            skipped[name] = reason
        else:
            run.append(case)
    return run, skipped


def main():
    options = parse_options()
    if not os.path.isdir(DEBIAN):
        print(f"{DEBIAN} does not exist: install the package libonnx-testdata")
        print("0 passed, 1 failed")
        return 1
    roots, checks = [("", DEBIAN)], {}
    if options.with_onnx_from_pypi:
        python, version = python_with_onnx(options.with_onnx_from_pypi)
        roots.append(("pypi/", generate(options.with_onnx_from_pypi, python, version)))
        if all(text in VERSIONS for text in options.only):
            checks[VERSIONS] = compare_versions(options.tools_dir, python)

    run, skipped = sort_out(find(roots, options.only))
    if options.with_onnx_from_pypi and not options.only:
        checks[TESTED] = untested_versions(run, python)
    tool = os.path.join(options.tools_dir, "phantom-run")
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        outcomes = dict(zip((case.name for case in run), pool.map(lambda case: run_case(tool, case), run)))
    failed = sum(wrong is not None for wrong in outcomes.values())
    if not options.quiet:
        for name, reason in sorted(skipped.items(), key=lambda item: (item[1], item[0])):
            print(f"left out: {name}: {reason}")
    expanded = sum("_expanded" in case.name for case in run)
    print(f"ONNX test data: run {len(run)} ({expanded} of them expanded functions), passed {len(run) - failed}, "
          f"failed {failed}, left out {len(skipped)}")
    checks.update(outcomes)
    failures = {name: wrong for name, wrong in checks.items() if wrong}
    for name, wrong in failures.items():
        print(f"FAILED: {name}: {wrong}")
    print(f"{len(checks) - len(failures)} passed, {len(failures)} failed, {len(skipped)} skipped")
    return 1 if failures or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
