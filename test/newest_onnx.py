# ===- newest_onnx.py - The newest onnx and onnxruntime --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import os
import subprocess
import sys

PACKAGES = ("onnx", "onnxruntime", "pillow")  # onnx makes the data of its image cases with pillow
PROBE = "import onnx, onnxruntime, PIL; print('onnx', onnx.__version__, 'onnxruntime', onnxruntime.__version__)"


def python_with_onnx(folder):
    """(the Python of the virtual environment `folder`, its onnx's version); made from PyPI where there is none."""
    python = os.path.join(os.path.abspath(folder), "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    if subprocess.run([python, "-c", PROBE], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", *PACKAGES], check=True)
    versions = subprocess.run([python, "-c", PROBE], check=True, stdout=subprocess.PIPE, text=True).stdout
    print(versions, end="", flush=True)
    return python, versions.split()[1]
