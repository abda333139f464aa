# ===- onnxruntime_oracle.py - Checks and runs models --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: onnxruntime_oracle.py JOBS.json

Run by a Python that has onnx and onnxruntime. A job is {"model": path, "check": bool, "inputs": npz, "outputs": npz}:
the model must pass onnx.checker, if that is asked, and what onnxruntime computes of the inputs is written. Inputs of
f64 are rounded where the model takes f32. Prints one JSON object per job, with an "error" or null.
"""
import json
import sys

import numpy as np


def save_tensors(path, tensors):
    """By position: any name is possible, and some are np.savez's own."""
    np.savez(path, *tensors.values(), names=np.array(list(tensors), dtype=np.str_))


def load_tensors(path):
    arrays = np.load(path)
    return {str(name): arrays[f"arr_{i}"] for i, name in enumerate(arrays["names"])}


def run(job):
    import onnx
    import onnxruntime

    if job["check"]:
        onnx.checker.check_model(job["model"], full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    arrays, inputs = load_tensors(job["inputs"]), {}
    for value in session.get_inputs():
        array = arrays[value.name]
        rounded = array.dtype == np.float64 and value.type == "tensor(float)"
        inputs[value.name] = array.astype(np.float32) if rounded else array
    outputs = session.run(None, inputs)
    save_tensors(job["outputs"], {value.name: array for value, array in zip(session.get_outputs(), outputs)})


def main():
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    for job in jobs:
        error = None
        try:
            run(job)
        except Exception as exception:  # whatever the libraries raise is the answer
            error = f"{type(exception).__name__}: {exception}"
        print(json.dumps({"error": error}), flush=True)


if __name__ == "__main__":
    main()
