# ===- versions.py - The operator table against the newest onnx ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: versions.py [--list], in a Python that has the newest onnx; the operator table of phantom-translate on stdin.

Each operator of the default domain must be one of ONNX's (but for those of onnxruntime), be listed from opset 6 or
its first version on, and up to its newest version: one that the table does not know must be looked at, and the table
extended where it means the same. No operator may be listed for opsets that are not released. The last line is
"N passed, N failed". With --list, prints the versions that the importer promises, {operator: [opset]}, and does no more.
"""
import json
import re
import sys

import onnx

from restamp import OLDEST, promised, since_versions

# onnxruntime puts these into the default domain.
NOT_OF_ONNX = {"SimplifiedLayerNormalization"}


def objection(name, first, last, versions, newest):
    """What is wrong with a row of the table; nothing if it is right."""
    if last > newest:
        return f"is listed up to opset {last}, but the newest is {newest}"
    if name in NOT_OF_ONNX:
        return None
    if name not in versions:
        return f"is no operator of onnx {onnx.__version__}"
    unknown = sorted(version for version in versions[name] if version > last)
    if unknown:
        return f"has the versions {unknown}, and is listed up to {last}: compare what they mean and extend the table"
    oldest = min(versions[name])
    if not oldest <= first <= max(oldest, OLDEST):
        return f"is listed from opset {first} on, but exists from {oldest} on"
    return None


def main():
    if sys.argv[1:] == ["--list"]:
        print(json.dumps({name: promised(versions) for name, versions in since_versions().items()}))
        return 0
    rows = re.findall(r"^\| (\w+) \|  \| (\d+)(?: to (\d+))? \|", sys.stdin.read(), re.MULTILINE)
    versions, newest, failed = since_versions(), onnx.defs.onnx_opset_version(), 0
    for name, first, last in rows:
        wrong = objection(name, int(first), int(last or first), versions, newest)
        if wrong:
            failed += 1
            print(f"FAILED: {name} {wrong}")
    print(f"operator table: {len(rows)} operators, newest opset {newest} of onnx {onnx.__version__}")
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
