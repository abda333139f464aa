# ===- run.py - Runs the execution tests --------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: run.py --tools-dir DIR [--jobs N] [--only TEXT] [--full] [--sanitize KIND] [--with-onnxruntime VENV]
              [--with-torch PYTHON] [--device cpu|sim|cuda] [--communicator NAME] [--every N] [--list]

Starts the tools on generated models and compares with NumPy. The last line is "N passed, N failed", and ", N skipped" where
some cannot run here.
With another device, its conformance suite (conformance.py): the same cases, run there.
With a sanitizer, a case that says so runs a smaller grid (the processes are 5 to 20 times slower).
"""
import argparse
import collections
import concurrent.futures
import importlib
import os
import sys
import time
import traceback

import conformance
import harness

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))

from newest_onnx import python_with_onnx

# Every *_cases.py beside this file.
MODULES = sorted(name[:-3] for name in os.listdir(HERE)
                 if name.endswith("_cases.py"))


def run_case(name, case, options):
    """(PASS, FAIL or SKIP, why)"""
    try:
        reason = conformance.why_not(options, name)
        if reason:
            raise harness.Skip(reason)
        case(options)
        return "PASS", None
    except harness.Skip as skip:
        return "SKIP", str(skip)
    except harness.Failure as failure:
        return "FAIL", str(failure)
    except Exception:
        return "FAIL", traceback.format_exc()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--full", action="store_true", help="the whole grid, not a covering part of it")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--with-onnxruntime", metavar="VENV", default="",
                        help="also run exported models in the onnxruntime of this virtual environment, made if need be")
    parser.add_argument("--with-torch", metavar="PYTHON", default="",
                        help="also train beside PyTorch, which this Python has")
    parser.add_argument("--device", choices=conformance.COMMUNICATORS, default="cpu")
    parser.add_argument("--communicator", help="of the device: " + "; ".join(
        f"{device}: {' or '.join(names)}" for device, names in conformance.COMMUNICATORS.items()))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="run every N-th case")
    parser.add_argument("--gpus", type=int, default=1, help="how many --device cuda has")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    options = harness.Options(os.path.abspath(arguments.tools_dir), arguments.sanitize, arguments.full)
    options.torch = arguments.with_torch
    options.device, options.gpus = arguments.device, arguments.gpus
    options.communicator = arguments.communicator or conformance.COMMUNICATORS[options.device][0]
    if options.communicator not in conformance.COMMUNICATORS[options.device]:
        parser.error(f"--communicator {options.communicator} is not one of --device {options.device}")
    if arguments.with_onnxruntime:
        options.onnxruntime, _ = python_with_onnx(arguments.with_onnxruntime)

    cases = [(name, case) for module in MODULES for name, case in importlib.import_module(module).cases(options)
             if arguments.only in name and (options.device == "cpu" or conformance.is_in_suite(name))]
    cases = cases[::arguments.every]
    if arguments.list:
        print("\n".join(name for name, _ in cases))
        return 0
    counts, start = collections.Counter(), time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [(name, pool.submit(run_case, name, case, options)) for name, case in cases]
        for name, future in futures:
            result, why = future.result()
            counts[result] += 1
            if why:
                print(f"{result}: {name}\n  {why}", flush=True)
    print(f"{len(cases)} cases in {time.monotonic() - start:.0f} s")
    skipped = f", {counts['SKIP']} skipped" if counts["SKIP"] else ""
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed{skipped}", flush=True)
    return 1 if counts["FAIL"] or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
