# ===- run_suites.py - Run the test suites and count -----------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Runs the suites of a built tree; called by scripts/test, which documents the options."""
import argparse
import json
import os
import re
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIT = "/usr/lib/llvm-22/bin/lit"


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def run_lit(options):
    results = os.path.join(options.build_dir, "lit-results.json")
    if os.path.exists(results):
        os.remove(results)
    code = subprocess.call([LIT, "-s", "-v", "--no-progress-bar", f"-j{options.jobs}", "--output", results,
                            os.path.join(options.build_dir, "test")])
    if not os.path.exists(results):
        return Counts(failed=1)
    counts = Counts()
    with open(results) as file:
        for test in json.load(file)["tests"]:
            if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
                counts.passed += 1
            elif test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                counts.skipped += 1
            else:
                counts.failed += 1
    if code and not counts.failed:
        counts.failed = 1
    return counts


def run_unit(options):
    """GoogleTest binaries: executables named *Tests."""
    binaries = []
    for folder, _, files in os.walk(options.build_dir):
        for name in files:
            path = os.path.join(folder, name)
            if re.fullmatch(r"\w+Tests", name) and os.access(path, os.X_OK):
                binaries.append(path)
    counts = Counts()
    for binary in sorted(binaries):
        results = binary + ".json"
        if os.path.exists(results):
            os.remove(results)
        run = subprocess.run([binary, f"--gtest_output=json:{results}"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace")
        if not os.path.exists(results):  # it crashed
            print(run.stdout[-8000:])
            counts.failed += 1
            continue
        with open(results) as file:
            report = json.load(file)
        tests = [test for suite in report["testsuites"] for test in suite["testsuite"]]
        skipped = sum(test["result"] == "SKIPPED" or test["status"] == "NOTRUN" for test in tests)
        failed = max(sum("failures" in test for test in tests), int(run.returncode != 0))
        counts.add(Counts(len(tests) - failed - skipped, failed, skipped))
        if failed:
            print(run.stdout[-8000:])
    return counts


def run_script(script, with_onnx=None, with_torch=None, more=()):
    """A python runner whose last line is its counts; `with_onnx`, `with_torch`: its options for the newest of these."""

    def run(options):
        command = [sys.executable, os.path.join(SOURCE, "test", script), "--tools-dir",
                   os.path.join(options.build_dir, "bin"), "--jobs", str(options.jobs), *more]
        if options.sanitize:
            command += ["--sanitize", options.sanitize]
        if options.with_onnx and with_onnx:
            command += [with_onnx, os.path.join(options.build_dir, "venv-onnx")]
        if options.with_pytorch and with_torch:
            command += [with_torch, os.path.join(options.build_dir, "venv-pytorch", "bin", "python")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
        last = ""
        for line in process.stdout:
            if last:
                print(last, flush=True)
            last = line.rstrip("\n")
        code = process.wait()
        found = re.fullmatch(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", last)
        if not found:
            print(last)
            return Counts(failed=1)
        counts = Counts(*(int(n or 0) for n in found.groups()))
        if code and not counts.failed:
            counts.failed = 1
        return counts

    return run


def run_conformance(options):
    """A part of the suite on the double of GPUs, other cases for each communicator."""
    counts = Counts()
    for communicator, every in (("sim", "8"), ("loopback", "11")):
        more = ("--device", "sim", "--communicator", communicator, "--every", every)
        counts.add(run_script(os.path.join("Execution", "run.py"), more=more)(options))
    return counts


SUITES = {
    "lit": run_lit,
    "unit": run_unit,
    "execution": run_script(os.path.join("Execution", "run.py"), "--with-onnxruntime", "--with-torch"),
    "conformance": run_conformance,
    "mutation": run_script(os.path.join("Mutation", "run.py")),
    "onnx": run_script(os.path.join("ONNX", "run.py"), "--with-onnx-from-pypi"),
    "install": run_script(os.path.join("Install", "run.py")),
    "docs": run_script(os.path.join("Docs", "run.py")),
}


def set_sanitizer_environment(kind):
    """Stop at the first report, and know the third-party libraries that are not instrumented."""
    if kind == "thread":
        suppressions = os.path.join(SOURCE, "test", "tsan.supp")
        os.environ["TSAN_OPTIONS"] = f"halt_on_error=1:second_deadlock_stack=1:suppressions={suppressions}"
    elif kind == "address":
        suppressions = os.path.join(SOURCE, "test", "lsan.supp")
        # LLVM's headers poison the rest of an arena's slab, and its uninstrumented library allocates there.
        os.environ["ASAN_OPTIONS"] = "detect_leaks=1:strict_string_checks=1:allow_user_poisoning=0"
        os.environ["LSAN_OPTIONS"] = f"suppressions={suppressions}:print_suppressions=0"
        os.environ["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build-dir", required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--suite", action="append", choices=list(SUITES))
    parser.add_argument("--with-onnx", action="store_true")
    parser.add_argument("--with-pytorch", action="store_true")
    options = parser.parse_args()
    if options.with_pytorch:
        SUITES["pytorch"] = run_script(os.path.join("PyTorch", "run.py"))
        if options.suite:
            options.suite.append("pytorch")
    set_sanitizer_environment(options.sanitize)

    total, lines = Counts(), []
    for name in options.suite or SUITES:
        print(f"== {name}", flush=True)
        start = time.monotonic()
        counts = SUITES[name](options)
        if not counts.passed + counts.failed:
            print(f"the suite '{name}' ran no test")
            counts.failed = 1
        total.add(counts)
        lines.append(f"{name:10} {counts}  ({time.monotonic() - start:.0f} s)")
        print(lines[-1], flush=True)
    print("== summary")
    print("\n".join(lines))
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
